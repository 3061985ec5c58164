# bash completion for imctl(1). What can follow is asked of the running server, by the imctl that is being typed.

_imctl() {
    local i word previous=${COMP_WORDS[COMP_CWORD - 1]} last line raw quote=
    local -a words=()
    COMPREPLY=()
    if [[ $previous == -s || $previous == --socket ]]; then
        compopt -o filenames
        mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        return
    fi
    # To readline name=value and a:b are several words; to imctl they are one.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ${#words[@]} -gt 0 && ($word == [=:]* || ${words[-1]} == *[=:]) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
    done
    raw=${COMP_WORDS[COMP_CWORD]}
    last=$raw
    [[ $last != [=:] ]] || last=
    [[ $last != [\'\"]* ]] || quote=${last:0:1}
    for i in "${!words[@]}"; do # as the shell will pass them on
        word=${words[i]#[\'\"]}
        [[ $word == *\\* ]] && word=${word//\\/}
        [[ $i == $((${#words[@]} - 1)) ]] || word=${word%[\'\"]}
        words[i]=$word
    done
    word=${words[-1]}
    last=${last#[\'\"]}
    last=${last//\\/}
    local before=${word%"$last"}
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        word=${word#"$before"}
        [[ -n $quote || $word == *= ]] || printf -v word %q "$word"
        COMPREPLY+=("$word")
    done < <("${COMP_WORDS[0]}" --complete -- "${words[@]}" 2>/dev/null)
    [[ ${#COMPREPLY[@]} != 1 || ${COMPREPLY[0]} != *= ]] || compopt -o nospace
}

complete -F _imctl imctl
