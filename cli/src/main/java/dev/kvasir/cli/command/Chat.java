package dev.kvasir.cli.command;

import dev.kvasir.KvasirException;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Footprint;
import dev.kvasir.cache.KvCache;
import dev.kvasir.chat.ChatTemplate;
import dev.kvasir.cli.Failures;
import dev.kvasir.cli.Terminal;
import dev.kvasir.cli.UsageException;
import dev.kvasir.cli.option.SamplingMixin;
import dev.kvasir.engine.Generator;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileSystemException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;

/** The turns of one chat over one cache. Results go to stdout, everything about them to stderr. */
final class Chat implements AutoCloseable {
    private static final String HELP = """
            /cache       what the cache holds, by kind
            /reset       forget everything
            /save FILE   write the cache
            /load FILE   go on from a cache that /save wrote
            /exit        end; so does the end of input
            Anything else is said to the model; without a chat template it is added to the text, which the model continues.""";

    private final Session session;
    private final CacheSpec spec;
    private final SamplingMixin sampling;
    private final Terminal terminal;
    private final Generator generator;
    private final Optional<Conversation> conversation;
    private KvCache cache;

    /** {@code template} is how turns are written; without one they are one growing text. */
    Chat(
            Session session,
            CacheSpec spec,
            SamplingMixin sampling,
            Terminal terminal,
            Optional<ChatTemplate> template,
            Optional<String> system) {
        this.session = session;
        this.spec = spec;
        this.sampling = sampling;
        this.terminal = terminal;
        this.generator = template.map(session::newGenerator).orElseGet(session::newGenerator);
        this.conversation = template.map(t -> new Conversation(t, session.tokenizer(), system));
        this.cache = session.newCache(spec);
    }

    /** Takes turns until the input ends or says so. */
    void run() throws IOException {
        if (terminal.inInteractive()) {
            say(session.model().name() + ", cache " + cache.spec() + ". /help lists what you can do.");
        }
        BufferedReader lines = new BufferedReader(new InputStreamReader(terminal.in(), StandardCharsets.UTF_8));
        while (true) {
            if (terminal.inInteractive()) {
                terminal.err().print("> ");
                terminal.err().flush();
            }
            String line = lines.readLine();
            if (line == null || line.strip().equals("/exit")) {
                return;
            }
            try {
                take(line);
            } catch (KvasirException | UsageException | FileSystemException e) {
                // A turn that cannot be served ends the turn; what was said before is kept.
                say(Failures.line(e));
            }
        }
    }

    private void take(String line) throws IOException {
        String[] words = line.strip().split("\\s+", 2);
        String argument = words.length > 1 ? words[1] : "";
        switch (words[0]) {
            case "" -> {}
            case "/help" -> say(HELP);
            case "/cache" -> showCache();
            case "/reset" -> replace(session.newCache(spec));
            case "/save" -> save(argument);
            case "/load" -> load(argument);
            default -> {
                if (words[0].startsWith("/")) {
                    say("no command " + words[0] + "; /help lists them");
                } else {
                    if (conversation.isPresent()) {
                        answer(line, conversation.get());
                    } else {
                        answer(line);
                    }
                }
            }
        }
    }

    private void answer(String line) {
        String text = cache.length() == 0 ? line : "\n" + line;
        int[] prompt = session.prompt(text, cache);
        Generator.Result result = generator.generate(cache, prompt, sampling.options(), this::show);
        terminal.out().println();
        terminal.out().flush();
        session.takeLast(cache, result);
        say("[" + CacheLine.of(cache) + "; " + Speed.of(result) + "]");
    }

    private void answer(String line, Conversation turns) {
        Conversation.Turn turn = turns.say(line);
        try {
            int kept = forget(turn, turns);
            int[] fresh = Arrays.copyOfRange(turn.all(), kept, turn.all().length);
            Generator.Result result = generator.generate(cache, fresh, sampling.options(), this::show);
            turns.answered(turn, result, cache);
            terminal.out().println();
            terminal.out().flush();
            say("[" + CacheLine.of(cache) + "; " + Speed.of(result) + "]");
        } catch (KvasirException e) {
            turns.failed(turn, cache);
            throw e;
        }
    }

    /** Brings the cache back to what the turn keeps, or empties it where the method cannot; gives the tokens it then holds. */
    private int forget(Conversation.Turn turn, Conversation turns) {
        if (turn.dropped() == 0) {
            return turn.kept();
        }
        if (turn.dropped() <= cache.rollbackLimit()) {
            cache.rollback(turn.dropped());
            say("[the past reads otherwise now: the last " + turn.dropped() + " tokens were taken back]");
            return turn.kept();
        }
        if (turns.goesOn()) {
            throw new KvasirException("the past reads otherwise now, and cache " + cache.spec() + " cannot take back "
                    + turn.dropped() + " tokens: /reset starts over");
        }
        swap(session.newCache(spec));
        say("[the past reads otherwise now: the cache is built again]");
        return 0;
    }

    private void showCache() {
        Footprint bytes = cache.footprint();
        say(CacheLine.of(cache));
        cache.remarks().forEach(this::say);
        say(String.format(
                Locale.ROOT,
                "codes %,d, scales %,d, windows %,d, indices %,d, codebooks %,d, second tier %,d",
                bytes.codes(),
                bytes.scales(),
                bytes.windows(),
                bytes.indices(),
                bytes.codebooks(),
                bytes.secondTier()));
    }

    private void save(String file) throws IOException {
        if (file.isEmpty()) {
            say("/save needs a file");
            return;
        }
        session.save(cache, Path.of(file));
        say("saved " + file);
    }

    private void load(String file) throws IOException {
        if (file.isEmpty()) {
            say("/load needs a file");
            return;
        }
        replace(session.load(Path.of(file)));
        say(CacheLine.of(cache));
    }

    private void replace(KvCache next) {
        swap(next);
        conversation.ifPresent(turns -> turns.restart(next.length()));
    }

    private void swap(KvCache next) {
        cache.close();
        cache = next;
    }

    private void show(String text) {
        terminal.out().print(text);
        terminal.out().flush();
    }

    private void say(String text) {
        terminal.err().println(text);
        terminal.err().flush();
    }

    @Override
    public void close() {
        cache.close();
    }
}
