# Sourced by ./kvasir and ./build: finds a JDK that can build and run Kvasir. POSIX sh, no other program needed.
#
#   find_jdk   sets JDK_HOME and returns 0, or says in one line on stderr what to set and returns 1
#
# Looked at, in this order: KVASIR_JAVA_HOME (must fit), JAVA_HOME, `java` on PATH, the usual install folders.
# KVASIR_JDK_FOLDERS, a colon-separated list of folders that hold JDKs, replaces the usual ones.

KVASIR_JAVA_LEAST=25

# jdk_version FOLDER: sets JDK_VERSION to the feature release named in FOLDER/release. Fails where there is no JDK, or
# one without the vector module.
jdk_version() {
    JDK_VERSION=
    jdk_has_vector=yes
    [ -f "$1/release" ] && [ -x "$1/bin/java" ] && [ -x "$1/bin/javac" ] || return 1
    while IFS='=' read -r jdk_key jdk_value || [ -n "$jdk_key" ]; do
        case $jdk_key in
        JAVA_VERSION)
            jdk_value=${jdk_value#\"}
            JDK_VERSION=${jdk_value%%[!0-9]*}
            ;;
        MODULES)
            case " ${jdk_value#\"} " in
            *[\ \"]jdk.incubator.vector[\ \"]*) ;;
            *) jdk_has_vector=no ;;
            esac
            ;;
        esac
    done <"$1/release"
    [ -n "$JDK_VERSION" ] && [ "$jdk_has_vector" = yes ]
}

# jdk_fits FOLDER: whether FOLDER is a JDK new enough.
jdk_fits() {
    jdk_version "$1" && [ "$JDK_VERSION" -ge "$KVASIR_JAVA_LEAST" ]
}

# jdk_of_program FILE: sets JDK_HOME to the JDK whose bin folder holds FILE once its links are followed.
jdk_of_program() {
    jdk_program=$1
    while [ -h "$jdk_program" ]; do
        jdk_link=$(readlink "$jdk_program") || return 1
        case $jdk_link in
        /*) jdk_program=$jdk_link ;;
        *) jdk_program=${jdk_program%/*}/$jdk_link ;;
        esac
    done
    case $jdk_program in
    */bin/java) JDK_HOME=${jdk_program%/bin/java} ;;
    *) return 1 ;;
    esac
}

# jdk_consider FOLDER: keeps FOLDER in jdk_best if it fits and is older than the best so far: the release that Kvasir is
# built and tested with goes before newer ones.
jdk_consider() {
    for jdk_candidate in "$1" "$1/Contents/Home"; do
        if jdk_fits "$jdk_candidate" && { [ -z "$jdk_best" ] || [ "$JDK_VERSION" -lt "$jdk_best_version" ]; }; then
            jdk_best=$jdk_candidate
            jdk_best_version=$JDK_VERSION
        fi
    done
}

# jdk_consider_below FOLDER: considers every folder in FOLDER.
jdk_consider_below() {
    for jdk_folder in "$1"/*; do
        [ -d "$jdk_folder" ] && jdk_consider "$jdk_folder"
    done
}

find_jdk() {
    if [ -n "${KVASIR_JAVA_HOME:-}" ]; then
        if jdk_fits "$KVASIR_JAVA_HOME"; then
            JDK_HOME=$KVASIR_JAVA_HOME
            return 0
        fi
        echo "kvasir: KVASIR_JAVA_HOME=$KVASIR_JAVA_HOME is not a JDK $KVASIR_JAVA_LEAST or newer with the module jdk.incubator.vector${JDK_VERSION:+ (its release is $JDK_VERSION)}" >&2
        return 1
    fi
    if [ -n "${JAVA_HOME:-}" ] && jdk_fits "$JAVA_HOME"; then
        JDK_HOME=$JAVA_HOME
        return 0
    fi
    if jdk_on_path=$(command -v java) && jdk_of_program "$jdk_on_path" && jdk_fits "$JDK_HOME"; then
        return 0
    fi

    jdk_best=
    jdk_best_version=0
    if [ -n "${KVASIR_JDK_FOLDERS:-}" ]; then
        jdk_rest=$KVASIR_JDK_FOLDERS:
        while [ -n "$jdk_rest" ]; do
            jdk_consider_below "${jdk_rest%%:*}"
            jdk_rest=${jdk_rest#*:}
        done
    else
        for jdk_parent in /usr/lib/jvm /usr/lib64/jvm /usr/java /usr/local /usr/local/java /opt /opt/java /opt/jdk \
            "${HOME:-/nonexistent}/.sdkman/candidates/java" "${HOME:-/nonexistent}/.jdks" \
            "${HOME:-/nonexistent}/.local/share/mise/installs/java" "${HOME:-/nonexistent}/.asdf/installs/java" \
            /Library/Java/JavaVirtualMachines "${HOME:-/nonexistent}/Library/Java/JavaVirtualMachines"; do
            jdk_consider_below "$jdk_parent"
        done
        jdk_consider /opt/homebrew/opt/openjdk/libexec/openjdk.jdk
        jdk_consider /usr/local/opt/openjdk/libexec/openjdk.jdk
    fi
    if [ -n "$jdk_best" ]; then
        JDK_HOME=$jdk_best
        return 0
    fi
    echo "kvasir: no JDK $KVASIR_JAVA_LEAST or newer found: install one (for example from https://adoptium.net) or set KVASIR_JAVA_HOME to its folder" >&2
    return 1
}
