package dev.kvasir.tokenizer;

import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import dev.kvasir.InvalidFileException;
import dev.kvasir.format.JsonFile;
import java.nio.file.Path;
import java.util.Collections;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class PipelineCheckTest {
    private static void check(String normalizer, String preTokenizer, String decoder) {
        PipelineCheck.check(
                Path.of("tokenizer.json"),
                JsonFile.MAPPER.readTree(normalizer.replace('\'', '"')),
                JsonFile.MAPPER.readTree(preTokenizer.replace('\'', '"')),
                JsonFile.MAPPER.readTree(decoder.replace('\'', '"')));
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
    void refusesManySteps() {
        String sequence = "{'type':'Sequence','normalizers':["
                + String.join(",", Collections.nCopies(40, "{'type':'NFC'}")) + "]}";

        assertThatThrownBy(() -> check(sequence, "null", "null")).hasMessageContaining("32 steps");
    }
}
