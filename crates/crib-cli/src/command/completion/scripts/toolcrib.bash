# Completions of toolcrib for bash. To have them: source <(toolcrib completion bash)

_toolcrib() {
    local reply
    COMPREPLY=()
    while IFS= read -r reply; do
        COMPREPLY+=("$reply")
    done < <({PROGRAM} __complete bash "${COMP_LINE:0:COMP_POINT}" "$2" 2>/dev/null)
}

# What is whole comes with its space; before bash 4.4, what is offered is sorted.
complete -o nospace -o nosort -F _toolcrib toolcrib 2>/dev/null || complete -o nospace -F _toolcrib toolcrib
