package dev.kvasir.fuzz;

import dev.kvasir.cache.CacheModel;
import dev.kvasir.cache.CacheShape;
import dev.kvasir.cache.CacheSpec;
import dev.kvasir.cache.Caches;
import dev.kvasir.cache.Calibrated;
import dev.kvasir.cache.Calibration;
import dev.kvasir.cache.KvCache;
import dev.kvasir.cache.MadeUpWeights;
import dev.kvasir.cache.PagePool;
import dev.kvasir.cache.Steps;
import dev.kvasir.format.CalibrationFile;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Saved caches of every method, small calibrations of every method that takes one, and specs. */
final class CacheSeeds {
    static final CacheShape SHAPE = new CacheShape(2, 2, 1, 32, 16);
    static final long POOL_BYTES = 1 << 24;

    /** Specs of every method, with windows so short that a few tokens leave them. */
    static final List<String> SPECS = List.of(
            "exact(bf16)",
            "exact(f16)",
            "kivi(residual=32, group=32)",
            "kivi(k_axis=token, residual=0, bits=4)",
            "kivi(v_axis=channel, residual=32)",
            "block(q5_0, rotate=true)",
            "block(k=q8_0, v=q4_0)",
            "gear(group=32)",
            "gear(variant=gear, group=32, sparsity=0.1)",
            "saq(segment=32)",
            "saq(16-8-3, segment=32, paperExact=true)",
            "mikv",
            "mikv(bits=0)",
            "turboquant(2, outliers=16)",
            "qserve(smooth=false)",
            "bfp(v_axis=token, block=16)",
            "rotatekv(reorder=off)",
            "vidkv",
            "kvquant(bits=2)",
            "kvquant(cap=0, sinks=3, bits=2)",
            "a2ats(window=16, sinks=5, f=0.1)",
            "a2ats(window=16, store=block(q8_0))",
            "quest(page=7, budget=20, dense=0, store=block(q4_0))",
            "h2o(budget=20)",
            "streaming(20, sinks=3, positions=true)",
            "lambda(20, sinks=2, trained=25)",
            "scissorhands(20, window=10, recent_exact=5, store=block(q4_0))",
            "snapkv(budget=36)",
            "snapkv(budget=36, heads=adaptive)",
            "pyramidkv(budget=36)",
            "tova(budget=20)",
            "kvcrush(base=h2o, budget=36)",
            "zipcache",
            "zipvl(0.9, min_tokens=0, interval=20)",
            "minicache(start=0, window=0, inner=kivi(residual=32), scope=head)",
            "minicache(start=0, inner=block(q4_0), window=32, scope=shared)",
            "xquant(3)",
            "xquant(variant=b, group=32)",
            "xquant-cl(base_layers=1)",
            "cskv(bits=4)",
            "locret(budget=20, local=8)");

    private static final List<String> CALIBRATED =
            List.of("bfp", "kvquant", "locret", "cskv", "qserve", "a2ats", "rotatekv", "scissorhands");
    private static final int TOKENS = 37;
    /** Tokens after those, each a step of its own. */
    private static final int GENERATED = 4;

    private CacheSeeds() {}

    /** A model that has a calibration for every method: the seeds of {@link CalibrationFuzzTest}. */
    static CacheModel model() {
        Path file = Hostile.folder().resolve("calibration.safetensors");
        Map<String, Calibration> made = new HashMap<>();
        for (String method : CALIBRATED) {
            Hostile.write(file, seed(method));
            made.put(method, CalibrationFile.read(file, method, Calibrated.FINGERPRINT));
        }
        return MadeUpWeights.model(SHAPE, (method, path) -> {
            Calibration calibration = made.get(method);
            if (calibration == null || !path.isEmpty()) {
                throw new Calibration.CalibrationException(method, "there is none in " + path);
            }
            return calibration;
        });
    }

    private static byte[] seed(String method) {
        String name = CalibrationFuzzTest.class.getSimpleName() + "Inputs/seed-" + method;
        try (InputStream in = CacheSeeds.class.getResourceAsStream(name)) {
            if (in == null) {
                throw new IllegalStateException(name + " is not on the class path");
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Map<String, byte[]> saved() throws IOException {
        CacheModel model = Calibrated.model(SHAPE);
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        for (String spec : SPECS) {
            try (PagePool pool = Steps.pool();
                    KvCache cache = Caches.create(CacheSpec.parse(spec), model, pool, Steps.sequential())) {
                Steps.projected(SHAPE, 1).feed(cache, TOKENS);
                for (int token = 0; token < GENERATED; token++) {
                    Steps.projected(SHAPE, 1).feed(cache, 1);
                }
                ByteArrayOutputStream out = new ByteArrayOutputStream();
                cache.save(out, Calibrated.FINGERPRINT);
                seeds.put(fileName(spec), out.toByteArray());
            }
        }
        return seeds;
    }

    static Map<String, byte[]> calibrations() throws IOException {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        for (String method : CALIBRATED) {
            Path file = Hostile.folder().resolve(method);
            CalibrationFile.write(file, Calibrated.calibration(SHAPE, CacheSpec.parse(method)));
            seeds.put(method, Files.readAllBytes(file));
        }
        return seeds;
    }

    static Map<String, byte[]> specs() {
        Map<String, byte[]> seeds = new LinkedHashMap<>();
        SPECS.forEach(spec -> seeds.put(fileName(spec), spec.getBytes(StandardCharsets.UTF_8)));
        return seeds;
    }

    private static String fileName(String spec) {
        return spec.replaceAll("[^a-z0-9]+", "-").replaceAll("-$", "");
    }
}
