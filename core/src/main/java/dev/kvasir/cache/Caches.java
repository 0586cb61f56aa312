package dev.kvasir.cache;

import dev.kvasir.InvalidInputException;
import dev.kvasir.KvasirException;
import dev.kvasir.cache.attention.HeadFactory;
import dev.kvasir.cache.attention.LayerFactory;
import dev.kvasir.cache.attention.SavedCache;
import dev.kvasir.cache.attention.SequenceCache;
import dev.kvasir.cache.kernel.Kernels;
import dev.kvasir.cache.method.a2ats.A2AtsCache;
import dev.kvasir.cache.method.bfp.BfpCache;
import dev.kvasir.cache.method.block.BlockCache;
import dev.kvasir.cache.method.cskv.CskvCache;
import dev.kvasir.cache.method.exact.ExactCache;
import dev.kvasir.cache.method.gear.GearCache;
import dev.kvasir.cache.method.h2o.H2oCache;
import dev.kvasir.cache.method.kivi.KiviCache;
import dev.kvasir.cache.method.kvcrush.KvCrushCache;
import dev.kvasir.cache.method.kvquant.KvQuantCache;
import dev.kvasir.cache.method.lambda.LambdaCache;
import dev.kvasir.cache.method.locret.LocretCache;
import dev.kvasir.cache.method.mikv.MikvCache;
import dev.kvasir.cache.method.minicache.MiniCache;
import dev.kvasir.cache.method.pyramidkv.PyramidKvCache;
import dev.kvasir.cache.method.qserve.QServeCache;
import dev.kvasir.cache.method.quest.QuestCache;
import dev.kvasir.cache.method.rotatekv.RotateKvCache;
import dev.kvasir.cache.method.saq.SaqCache;
import dev.kvasir.cache.method.scissorhands.ScissorhandsCache;
import dev.kvasir.cache.method.snapkv.SnapKvCache;
import dev.kvasir.cache.method.streaming.StreamingCache;
import dev.kvasir.cache.method.tova.TovaCache;
import dev.kvasir.cache.method.turboquant.TurboQuantCache;
import dev.kvasir.cache.method.vidkv.VidKvCache;
import dev.kvasir.cache.method.xquant.XQuantCache;
import dev.kvasir.cache.method.xquant.XQuantClCache;
import dev.kvasir.cache.method.zipcache.ZipCache;
import dev.kvasir.cache.method.zipvl.ZipVlCache;
import dev.kvasir.cache.selection.Policy;
import dev.kvasir.tensor.Workers;
import java.io.IOException;
import java.io.InputStream;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The registry of cache methods: makes caches from specs and lists what there is. */
public final class Caches {
    private static final List<CacheMethod> METHODS = List.of(
            new ExactCache(), //
            new KiviCache(),
            new BlockCache(),
            new GearCache(),
            new RotateKvCache(),
            new MikvCache(),
            new KvQuantCache(),
            new ZipCache(),
            new QServeCache(),
            new BfpCache(),
            new TurboQuantCache(),
            new SaqCache(),
            new VidKvCache(),
            new A2AtsCache(),
            new QuestCache(),
            new H2oCache(),
            new SnapKvCache(),
            new ZipVlCache(),
            new MiniCache(),
            new XQuantCache(),
            new XQuantClCache(),
            new CskvCache(),
            new LocretCache(),
            new ScissorhandsCache(),
            new PyramidKvCache(),
            new TovaCache(),
            new StreamingCache(),
            new LambdaCache(),
            new KvCrushCache());

    private Caches() {}

    /**
     * A new, empty cache.
     *
     * @throws InvalidInputException if the method or an option is unknown, or a value does not fit the others or the shape
     * @throws Calibration.CalibrationException if the method needs a calibration that the model does not have
     */
    public static KvCache create(CacheSpec spec, CacheModel model, PagePool pool, Workers workers) {
        return createEmpty(spec, model, pool, workers);
    }

    /** A new, empty cache of {@link CacheModel#of a model of which only the shape is known}. Throws as the other. */
    public static KvCache create(CacheSpec spec, CacheShape shape, PagePool pool, Workers workers) {
        return create(spec, CacheModel.of(shape), pool, workers);
    }

    private static RestorableCache createEmpty(CacheSpec spec, CacheModel model, PagePool pool, Workers workers) {
        CacheSpec complete = complete(spec);
        LayerFactory layers = method(spec.method()).layers(new CacheSettings(complete.options()), model);
        return new SequenceCache(complete, model.shape(), layers, pool, Kernels.best(), workers);
    }

    /**
     * How heads remember by the method of {@code spec}, for a method that chooses what they store. Throws as {@link #create},
     * and if the method's heads do not remember by themselves.
     *
     * @param user the method that wants them
     */
    public static HeadFactory heads(String user, CacheSpec spec, CacheModel model) {
        CacheMethod method = method(spec.method());
        return method.heads(new CacheSettings(complete(spec).options()), model)
                .orElseThrow(() -> new InvalidInputException(user + " cannot store in " + method.name() + ", "
                        + method.standsAlone().orElse("whose heads share what they store") + "; it can in "
                        + names(METHODS.stream()
                                .filter(candidate -> storesHeads(candidate, model))
                                .map(CacheMethod::name)
                                .toList())));
    }

    private static boolean storesHeads(CacheMethod method, CacheModel model) {
        try {
            return method.heads(
                            new CacheSettings(complete(new CacheSpec(method.name(), Map.of()))
                                    .options()),
                            model)
                    .isPresent();
        } catch (KvasirException e) {
            // Its defaults want something that this model lacks; other options may not.
            return true;
        }
    }

    /**
     * How layers remember by the method of {@code spec}, for a method that gives them what they store. Throws as {@link
     * #create}, and if the method's layers want more than that.
     *
     * @param user the method that wants them
     */
    public static LayerFactory layers(String user, CacheSpec spec, CacheModel model) {
        CacheMethod method = method(spec.method());
        if (method.standsAlone().isPresent()) {
            throw new InvalidInputException(user + " cannot store in " + method.name() + ", "
                    + method.standsAlone().get());
        }
        return method.layers(new CacheSettings(complete(spec).options()), model);
    }

    /**
     * How the method of {@code spec} decides which tokens stay, for a method that builds on it. Throws as {@link #create}, and if
     * it does not decide by what tokens are worth.
     *
     * @param user the method that wants to know
     */
    public static Policy policy(String user, CacheSpec spec, CacheShape shape) {
        CacheMethod method = method(spec.method());
        return method.policy(new CacheSettings(complete(spec).options()), shape)
                .orElseThrow(() -> new InvalidInputException(user + " cannot build on " + method.name()
                        + ", which does not let tokens go by what they are worth; it can on "
                        + names(METHODS.stream()
                                .filter(candidate -> candidate
                                        .policy(
                                                new CacheSettings(complete(new CacheSpec(candidate.name(), Map.of()))
                                                        .options()),
                                                shape)
                                        .isPresent())
                                .map(CacheMethod::name)
                                .toList())));
    }

    /**
     * Reads what {@link KvCache#save} wrote; refuses another model's.
     *
     * @throws CacheFileException if it is damaged, or not of this model or shape
     * @throws CacheBudgetException if the pool cannot hold it
     */
    public static KvCache load(
            InputStream in, String modelFingerprint, CacheModel model, PagePool pool, Workers workers)
            throws IOException {
        return SavedCache.read(in, modelFingerprint, model.shape(), header -> {
            try {
                return createEmpty(header.spec(), model, pool, workers);
            } catch (InvalidInputException e) {
                throw new CacheFileException("spec: " + e.getMessage(), e);
            }
        });
    }

    /**
     * What learns for the caches of {@code spec}.
     *
     * @param fingerprint of the model
     * @throws InvalidInputException if the method needs no calibration; otherwise as {@link #create}
     */
    public static Calibrator calibrator(CacheSpec spec, CacheModel model, String fingerprint) {
        CacheMethod method = method(spec.method());
        if (!method.canCalibrate() && !method.needsCalibration()) {
            List<String> needing = METHODS.stream()
                    .filter(CacheMethod::canCalibrate)
                    .map(CacheMethod::name)
                    .toList();
            throw new InvalidInputException(
                    method.name() + " needs no calibration. Methods that can use one: " + names(needing));
        }
        return method.calibrator(new CacheSettings(complete(spec).options()), model, fingerprint);
    }

    /** Bytes that a cache of {@code tokens} tokens allocates, by its formula. Throws as {@link #create}. */
    public static long estimateBytes(CacheSpec spec, CacheShape shape, int tokens) {
        return estimate(spec, shape, tokens).total();
    }

    /** As {@link #estimateBytes}, by kind. */
    public static Footprint estimate(CacheSpec spec, CacheShape shape, int tokens) {
        CacheSettings settings = new CacheSettings(complete(spec).options());
        return method(spec.method()).estimate(settings, shape, tokens);
    }

    /** Bytes that the method makes of a model's weights once for all its sequences. Throws as {@link #create}. */
    public static long weightBytes(CacheSpec spec, CacheShape shape) {
        return method(spec.method())
                .weightBytes(new CacheSettings(complete(spec).options()), shape);
    }

    /** The same spec in canonical form, with every option. Throws as {@link #create}, as far as no shape is needed. */
    public static CacheSpec complete(CacheSpec spec) {
        CacheMethod method = method(spec.method());
        Map<String, String> given = new LinkedHashMap<>();
        spec.options().forEach((written, value) -> {
            CacheOption option = option(method, written);
            option.check(method.name(), value);
            if (given.put(option.name(), value) != null) {
                throw new InvalidInputException(method.name() + ": " + option.name() + " is given twice");
            }
        });
        Map<String, String> values = new LinkedHashMap<>();
        for (CacheOption option : method.options()) {
            String value = given.getOrDefault(option.name(), option.defaultValue());
            if (value.startsWith("@")) {
                value = values.getOrDefault(value.substring(1), value);
            }
            if (option.kind() == CacheOption.Kind.SPEC) {
                value = complete(CacheSpec.parse(value)).toString();
            }
            values.put(option.name(), value);
        }
        return new CacheSpec(method.name(), values);
    }

    private static CacheOption option(CacheMethod method, String written) {
        String name = written.isEmpty() ? method.positional() : written;
        if (name.isEmpty()) {
            throw new InvalidInputException(method.name() + " takes no value without a name; its options are "
                    + names(method.options().stream().map(CacheOption::name).toList()));
        }
        return method.options().stream()
                .filter(option -> option.name().equals(name))
                .findFirst()
                .orElseThrow(() -> unknown(
                        method.name() + " has no option " + name,
                        name,
                        method.options().stream().map(CacheOption::name).toList()));
    }

    /** The method of that name. */
    public static CacheMethod method(String name) {
        return METHODS.stream()
                .filter(method -> method.name().equals(name))
                .findFirst()
                .orElseThrow(() -> unknown("no cache method " + name, name, methods()));
    }

    /** The command that makes the calibration of a method, for a person. */
    public static String calibratedBy(String name) {
        return METHODS.stream()
                .filter(method -> method.name().equals(name))
                .map(CacheMethod::calibratedBy)
                .findFirst()
                .orElse("kvasir calibrate " + name);
    }

    private static InvalidInputException unknown(String problem, String name, List<String> known) {
        String nearest = known.stream()
                .min(Comparator.comparingInt(candidate -> Spelling.distance(name, candidate)))
                .orElse("");
        boolean near = !nearest.isEmpty() && Spelling.distance(name, nearest) <= Math.max(2, name.length() / 3);
        String hint = near ? ", did you mean " + nearest + "?" : ";";
        return new InvalidInputException(problem + hint + " There are: " + names(known));
    }

    private static String names(List<String> names) {
        return names.isEmpty() ? "none" : String.join(", ", names);
    }

    /** Names of all methods. */
    public static List<String> methods() {
        return METHODS.stream().map(CacheMethod::name).toList();
    }

    /** All methods with their options, for listings. */
    public static List<CacheMethod> describe() {
        return METHODS;
    }
}
