# Completions of toolcrib for fish. To have them: toolcrib completion fish | source

function __toolcrib_complete
    {PROGRAM} __complete fish (commandline --current-process --tokenize --cut-at-cursor) (commandline --current-token --cut-at-cursor) 2>/dev/null
end

complete --command toolcrib --no-files --keep-order --arguments '(__toolcrib_complete)'
