package dev.kvasir.tokenizer;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.JsonFile;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.JsonNode;

class PipelineCheckTest {
    private static void check(String normalizer, String preTokenizer, String decoder) {
        check(normalizer, preTokenizer, "null", decoder);
    }

    private static void check(String normalizer, String preTokenizer, String postProcessor, String decoder) {
        PipelineCheck.check(
                Path.of("tokenizer.json"),
                new PipelineCheck.Parts(json(normalizer), json(preTokenizer), json(postProcessor), json(decoder)));
    }

    private static JsonNode json(String text) {
        return JsonFile.MAPPER.readTree(text.replace('\'', '"'));
    }

    @Test
    void allowsWhatModelsComeWith() {
        assertThatCode(() -> {
                    check("null", "null", "null");
                    check(
                            "{'type':'Sequence','normalizers':[{'type':'Prepend','prepend':'\u2581'},"
                                    + "{'type':'Replace','pattern':{'String':' '},'content':'\u2581'}]}",
                            "{'type':'Metaspace','replacement':'\u2581','prepend_scheme':'always','split':true}",
                            "{'type':'Sequence','decoders':[{'type':'ByteFallback'},{'type':'Fuse'},"
                                    + "{'type':'Strip','content':' ','start':1,'stop':0}]}");
                    check(
                            "{'type':'NFC'}",
                            "{'type':'Sequence','pretokenizers':[{'type':'Digits','individual_digits':true},"
                                    + "{'type':'Split','pattern':{'Regex':'\\\\s+(?!\\\\S)|\\\\s+'},'behavior':'Isolated'},"
                                    + "{'type':'ByteLevel','use_regex':false}]}",
                            "{'type':'ByteLevel'}");
                })
                .doesNotThrowAnyException();
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = ';',
            quoteCharacter = '`',
            value = {
                "{'type':'Precompiled','precompiled_charsmap':'AAAA'}; null; null; normalizer must have a type of",
                "{'type':'Strip','strip_left':true}; null; null; normalizer must have a type of",
                "{'add_prefix_space':true}; null; null; found nothing",
                "{'type':'Replace','pattern':{'String':'a'},'content':''}; null; null; must not replace by nothing",
                "{'type':'Replace','pattern':{'Regex':'(a|aa)+b'},'content':'c'}; null; null; in several ways",
                "{'type':'Replace','pattern':'a','content':'c'}; null; null; pattern must be an object",
                "{'type':'Prepend','prepend':'0123456789012345678901234567890123456789012345678901234567890123456789"
                        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                        + "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"
                        + "0123456789012345678901234567890123456789'}; null; null; makes texts more than the allowed 64",
                "null; {'type':'FixedLength','length':0}; null; pre_tokenizer must have a type of",
                "null; {'type':'Split','pattern':{'Regex':'(x+x+)+y'},'behavior':'Isolated'}; null; in several ways",
                "null; null; {'type':'Strip','content':'a','start':0,'stop':1}; must have a stop of 0",
                "null; null; {'type':'Strip','content':'a','start':0}; must have a stop of 0",
                "null; null; {'type':'Replace','pattern':{'Regex':'(a*)*'},'content':''}; in several ways",
            })
    void refuses(String normalizer, String preTokenizer, String decoder, String problem) {
        assertThatThrownBy(() -> check(normalizer, preTokenizer, decoder))
                .isInstanceOf(InvalidFileException.class)
                .hasMessageContaining(problem);
    }

    @Test
    void refusesTextsThatDoubleAndDouble() {
        String step = "{'type':'Replace','pattern':{'String':'a'},'content':'aa'}";
        String sequence = "{'type':'Sequence','normalizers':[" + String.join(",", Collections.nCopies(7, step)) + "]}";

        assertThatThrownBy(() -> check(sequence, "null", "null")).hasMessageContaining("64 times as long");
    }

    @Test
    void refusesWhatTheLibrarysReaderDoesNotTake() {
        String[] parts = {"null", "null", "null", "null"};
        for (int part = 0; part < parts.length; part++) {
            for (String value : List.of("1e999", "'\\ud800'", "['\\ud83d\\ud83d\\ude00']")) {
                String[] hostile = parts.clone();
                hostile[part] = "{'type':'ByteLevel','x':" + value + "}";
                assertThatThrownBy(() -> check(hostile[0], hostile[1], hostile[2], hostile[3]))
                        .as("%s in part %d", value, part)
                        .hasMessageMatching(".* has a (number that is too large|text with half a surrogate pair)");
            }
            String[] fine = parts.clone();
            fine[part] = "{'type':'ByteLevel','x':[1e300, '\\ud83d\\ude00']}";
            assertThatCode(() -> check(fine[0], fine[1], fine[2], fine[3])).doesNotThrowAnyException();
        }
    }

    @Test
    void refusesOtherPostProcessors() {
        assertThatThrownBy(() -> check("null", "null", "{'type':'Other'}", "null"))
                .hasMessageContaining("post_processor must have a type of BertProcessing");
    }

    @Test
    void refusesManySteps() {
        String sequence = "{'type':'Sequence','normalizers':["
                + String.join(",", Collections.nCopies(40, "{'type':'NFC'}")) + "]}";

        assertThatThrownBy(() -> check(sequence, "null", "null")).hasMessageContaining("32 steps");
    }
}
