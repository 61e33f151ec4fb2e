#compdef toolcrib
# Completions of toolcrib for zsh. To have them: source <(toolcrib completion zsh), or save this as _toolcrib in $fpath

_toolcrib() {
    local line text about tab=$'\t'
    local -a whole open
    while IFS= read -r line; do
        text="${line%%$tab*}"
        about=""
        [[ "$line" == *"$tab"* ]] && about="${line#*$tab}"
        # A colon would end the text.
        text="${text//\\/\\\\}"
        text="${text//:/\\:}"
        if [[ "$text" == *[=./:@] ]]; then
            open+=("$text${about:+:$about}")
        else
            whole+=("$text${about:+:$about}")
        fi
    done < <({PROGRAM} __complete zsh "${(@Q)words[1,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)
    (( $#open )) && _describe -V 'toolcrib' open -S ''
    (( $#whole )) && _describe -V 'toolcrib' whole
    (( $#open + $#whole ))
}

if [ "$funcstack[1]" = "_toolcrib" ]; then
    _toolcrib "$@"
else
    compdef _toolcrib toolcrib
fi
