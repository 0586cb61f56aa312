package dev.kvasir.train.recipe;

import dev.kvasir.InvalidFileException;
import dev.kvasir.InvalidInputException;
import dev.kvasir.train.net.NetShape;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.json.JsonMapper;

/**
 * Everything that decides a training run; the same recipe, texts and tokenizer give the same model.
 *
 * @param name of the model
 * @param seed of weights and of the order of rows
 * @param vocabularySize ids of the tokenizer, special ones included; rows of the embedding
 * @param contextLength written to the model's configuration; the longest row should reach it
 * @param shape of the net
 * @param optimizer AdamW and its schedule
 * @param sources weights of answers and other tokens, by source
 * @param stages the curriculum, in order
 * @param evaluation what is measured during training
 */
public record Recipe(
        String name,
        long seed,
        int vocabularySize,
        int contextLength,
        NetShape shape,
        Optimizer optimizer,
        Map<String, SourceWeights> sources,
        List<Stage> stages,
        Evaluation evaluation) {

    /**
     * AdamW (Loshchilov and Hutter, arXiv 1711.05101) with linear warm-up and cosine decay.
     *
     * @param learningRate peak
     * @param finalRatio last learning rate over the peak
     * @param warmupSteps steps of the linear rise
     * @param clipNorm largest gradient norm
     */
    public record Optimizer(
            double learningRate,
            double finalRatio,
            int warmupSteps,
            double beta1,
            double beta2,
            double epsilon,
            double weightDecay,
            double clipNorm) {
        /** Learning rate of a step, counted from 0. */
        public double rate(long step, long steps) {
            if (step < warmupSteps) {
                return learningRate * (step + 1) / warmupSteps;
            }
            double progress = (double) (step - warmupSteps) / Math.max(1, steps - warmupSteps);
            double cosine = 0.5 * (1 + Math.cos(Math.PI * Math.min(1, progress)));
            return learningRate * (finalRatio + (1 - finalRatio) * cosine);
        }
    }

    /** What tokens of a source count: those of answers, and all others. */
    public record SourceWeights(float answer, float other) {}

    /**
     * One stretch of the curriculum.
     *
     * @param steps optimiser steps
     * @param length predictions of a row
     * @param rows of a step
     * @param mixture share of rows by source
     */
    public record Stage(String name, long steps, int length, int rows, Map<String, Double> mixture) {}

    /**
     * What is measured during training, on the test split: the sources that the last stage draws from.
     *
     * @param everySteps steps between evaluations
     * @param length predictions of a row
     * @param rows of each source
     */
    public record Evaluation(long everySteps, int length, int rows) {}

    /** Checks what the types cannot. */
    public Recipe {
        stages = List.copyOf(stages);
        if (stages.isEmpty()) {
            throw new InvalidInputException("recipe: stages is empty, at least one is needed");
        }
        for (Stage stage : stages) {
            if (stage.steps() < 1 || stage.length() < 16 || stage.rows() < 1) {
                throw new InvalidInputException("recipe: stage '" + stage.name()
                        + "' needs steps >= 1, length >= 16 and rows >= 1, found " + stage.steps() + ", "
                        + stage.length() + " and " + stage.rows());
            }
            double total = stage.mixture().values().stream()
                    .mapToDouble(Double::doubleValue)
                    .sum();
            if (!(total > 0) || stage.mixture().values().stream().anyMatch(s -> s < 0)) {
                throw new InvalidInputException(
                        "recipe: shares of stage '" + stage.name() + "' must be non-negative with a positive sum");
            }
        }
    }

    /** Whether any stage draws from a source. */
    public boolean uses(String source) {
        return stages.stream().anyMatch(stage -> stage.mixture().containsKey(source));
    }

    /** Steps of all stages. */
    public long steps() {
        return stages.stream().mapToLong(Stage::steps).sum();
    }

    /** Tokens of all stages. */
    public long tokens() {
        return tokensUntil(steps());
    }

    /** Tokens of the first {@code steps} steps. */
    public long tokensUntil(long steps) {
        long tokens = 0;
        long left = steps;
        for (Stage stage : stages) {
            long here = Math.min(stage.steps(), left);
            tokens += here * stage.rows() * stage.length();
            left -= here;
        }
        return tokens;
    }

    /** The stage a step belongs to. */
    public Stage stageAt(long step) {
        long end = 0;
        for (Stage stage : stages) {
            end += stage.steps();
            if (step < end) {
                return stage;
            }
        }
        return stages.getLast();
    }

    /** Reads a recipe file. */
    public static Recipe read(Path file) {
        if (!Files.isRegularFile(file)) {
            throw new InvalidFileException(file, "there is no such file");
        }
        try (InputStream in = Files.newInputStream(file)) {
            return parse(in);
        } catch (IOException e) {
            throw new InvalidFileException(file, "cannot be read", e);
        } catch (JacksonException e) {
            throw new InvalidFileException(file, "is no recipe: " + e.getOriginalMessage(), e);
        }
    }

    /** The recipe of the model that ships with the project. */
    public static Recipe shipped() {
        try (InputStream in = Recipe.class.getResourceAsStream("kvasir-tiny.json")) {
            if (in == null) {
                throw new IllegalStateException("kvasir-tiny.json is not on the class path");
            }
            return parse(in);
        } catch (IOException e) {
            throw new IllegalStateException("kvasir-tiny.json cannot be read", e);
        }
    }

    private static Recipe parse(InputStream in) {
        return JsonMapper.builder().build().readValue(in, Recipe.class);
    }
}
