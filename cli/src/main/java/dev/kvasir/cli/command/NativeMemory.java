package dev.kvasir.cli.command;

/** Settings of the native libraries, to be made before the first of them loads. */
final class NativeMemory {
    private NativeMemory() {}

    /** Spares a look at the process's memory for every tensor. */
    static void leaveToLibtorch() {
        System.setProperty("org.bytedeco.javacpp.maxPhysicalBytes", "0");
        System.setProperty("org.bytedeco.javacpp.maxBytes", "0");
    }
}
