package dev.kvasir.model;

/**
 * A model ready to run: its shape, its weights and what identifies it.
 *
 * @param name what to call it in reports; usually the folder's name
 * @param fingerprint hexadecimal digest of configuration and weights; saved caches and calibrations carry it
 * @param weightBytes bytes of the weights as stored
 */
public record Model(String name, ModelConfig config, Weights weights, String fingerprint, long weightBytes) {}
