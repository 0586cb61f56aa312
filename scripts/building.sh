# Sourced by ./kvasir and ./build, after find-jdk.sh: Maven, one build at a time, and whether a build is still good.
# Wants KVASIR_HOME, the folder that holds the sources.

BUILD_STAMP=$KVASIR_HOME/target/kvasir.stamp
BUILD_LOCK=$KVASIR_HOME/target/kvasir.lock
BUILD_LOG=$KVASIR_HOME/target/kvasir-build.log

# find_maven: sets MAVEN, or says in one line what is missing.
find_maven() {
    if MAVEN=$(command -v "${KVASIR_MAVEN:-mvn}"); then
        return 0
    fi
    echo "kvasir: Maven (${KVASIR_MAVEN:-mvn}) is not on PATH and is needed to build Kvasir: install it (apt-get install maven, brew install maven) or set KVASIR_MAVEN to its program" >&2
    return 1
}

# build_is_current: whether the last build is newer than every source. A folder's time changes when a file in it is
# added or removed, so folders count too.
build_is_current() {
    [ -f "$BUILD_STAMP" ] && [ -f "$KVASIR_HOME/cli/target/kvasir.jar" ] || return 1
    build_newer=$(find "$KVASIR_HOME/pom.xml" "$KVASIR_HOME"/*/pom.xml "$KVASIR_HOME"/*/src/main \
        -newer "$BUILD_STAMP" 2>/dev/null | head -n 1)
    [ -z "$build_newer" ]
}

# build_lock: waits until no other build runs in this folder, then holds the lock until build_unlock.
build_lock() {
    mkdir -p "$KVASIR_HOME/target" || return 1
    build_waits=0
    until mkdir "$BUILD_LOCK" 2>/dev/null; do
        build_holder=$(cat "$BUILD_LOCK/pid" 2>/dev/null) || build_holder=
        if [ -n "$build_holder" ] && ! kill -0 "$build_holder" 2>/dev/null; then
            build_break_lock "$build_holder"
        elif [ "$build_waits" -ge 5 ] && [ -z "$build_holder" ]; then
            build_break_lock ""
        else
            [ "$build_waits" -ne 1 ] || echo "kvasir: waiting for another build to finish (process ${build_holder:-unknown})" >&2
            sleep 1
            build_waits=$((build_waits + 1))
        fi
    done
    echo "$$" >"$BUILD_LOCK/pid"
}

# build_break_lock PID: takes away the lock that the dead process PID left. Moved aside first, so that of several who
# wait only one takes it, and put back if it has meanwhile become somebody else's.
build_break_lock() {
    if mv "$BUILD_LOCK" "$BUILD_LOCK.$$" 2>/dev/null; then
        if [ "$(cat "$BUILD_LOCK.$$/pid" 2>/dev/null)" = "$1" ]; then
            rm -rf "$BUILD_LOCK.$$"
        else
            mv "$BUILD_LOCK.$$" "$BUILD_LOCK" 2>/dev/null || rm -rf "$BUILD_LOCK.$$"
        fi
    fi
}

build_unlock() {
    rm -rf "$BUILD_LOCK"
}
