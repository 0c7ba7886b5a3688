"""Scripts with which a shell completes what is typed. They hold the words themselves, so that no Python starts; only
the layers of a network are asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from archcost.cli.offered import Offered, Option, Value, offered

SHELLS = ("bash", "zsh", "fish")


def script(shell: str) -> str:
    commands = tuple(offered())
    if shell == "fish":
        return "\n".join(_fish(commands)) + "\n"
    bash = BASH.replace("@WORDS@", "\n".join(_lists())).replace("@CASES@", "\n".join(_cases(commands)))
    if shell == "zsh":
        return ZSH + bash
    return bash


def _lists() -> Iterator[str]:
    for name, words in (("networks", _networks()), ("hardware", _hardware()), ("types", _types())):
        yield f"_archcost_{name}='{' '.join(words)}'"


def _networks() -> Sequence[str]:
    from archcost.spec.zoo import names

    return names()


def _hardware() -> Sequence[str]:
    from archcost.hardware import names

    return names()


def _types() -> Sequence[str]:
    from archcost.costs.layer_types import layer_types

    return [each.type for each in layer_types().types]


def _cases(commands: Sequence[Offered]) -> Iterator[str]:
    """What follows an option, the options, and what stands in each place: `command option`, `command` and
    `command number` → words.
    """
    yield "_archcost_value() {"
    yield '    case "$1" in'
    values: defaultdict[Value, list[str]] = defaultdict(list)
    for command in commands:
        for option in command.options:
            if option.value is not None:
                values[option.value] += [f'"{command.name} {name}"' for name in option.names]
    for value, patterns in values.items():
        for start in range(0, len(patterns), 8):
            yield f"        {'|'.join(patterns[start : start + 8])}) _archcost_found='{_bash(value)}' ;;"
    yield "        *) return 1 ;;"
    yield "    esac"
    yield "}"
    yield ""
    yield "_archcost_place() {"
    yield '    case "$1" in'
    for command in commands:
        for number, place in enumerate(command.places):
            pattern = f'"{command.name} "*' if place.repeats else f'"{command.name} {number}"'
            yield f"        {pattern}) _archcost_found='{_bash(place.value)}' ;;"
    yield "        *) _archcost_found='' ;;"
    yield "    esac"
    yield "}"
    yield ""
    yield "_archcost_options() {"
    yield '    case "$1" in'
    yield f"        '') _archcost_found='{' '.join(c.name for c in commands if ' ' not in c.name)} --help --version' ;;"
    for command in commands:
        names = [name for option in command.options for name in option.names]
        yield f"        '{command.name}') _archcost_found='{' '.join([*command.commands, *names])}' ;;"
    yield "    esac"
    yield "}"


def _bash(value: Value) -> str:
    """Words, or `@kind`."""
    return f"@{value.kind}" if value.kind else " ".join(value.words)


BASH = """\
# Completes archcost in bash. Into ~/.local/share/bash-completion/completions/archcost, or in ~/.bashrc:
#     eval "$(archcost completion bash)"

@WORDS@

@CASES@

_archcost_layers() {
    archcost summary "$1" --columns name --format csv 2>/dev/null | tail -n +2 | cut -d , -f 1
}

_archcost() {
    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
    local command=${COMP_WORDS[1]} place=0 index=2 network= word _archcost_found=
    COMPREPLY=()
    if [ "$current" = "=" ]; then
        current=
    elif [ "$before" = "=" ]; then
        before=${COMP_WORDS[COMP_CWORD-2]}
    fi
    if [ "$COMP_CWORD" -eq 1 ]; then
        _archcost_options ''
        COMPREPLY=($(compgen -W "$_archcost_found" -- "$current"))
        return
    fi
    if [ "$command" = hardware ]; then
        if [ "$COMP_CWORD" -eq 2 ]; then
            _archcost_options hardware
            COMPREPLY=($(compgen -W "$_archcost_found" -- "$current"))
            return
        fi
        command="hardware ${COMP_WORDS[2]}"
        index=3
    fi
    while [ "$index" -lt "$COMP_CWORD" ]; do
        word=${COMP_WORDS[index]}
        case "$word" in
            -*)
                if _archcost_value "$command $word"; then
                    index=$((index + 1))
                    [ "${COMP_WORDS[index]}" = "=" ] && index=$((index + 1))
                fi
                ;;
            *)
                [ "$place" -eq 0 ] && network=$word
                place=$((place + 1))
                ;;
        esac
        index=$((index + 1))
    done
    if ! _archcost_value "$command $before"; then
        case "$current" in
            -*) _archcost_options "$command" ;;
            *) _archcost_place "$command $place" ;;
        esac
    fi
    case "$_archcost_found" in
        @networks)
            COMPREPLY=($(compgen -W "$_archcost_networks" -- "$current") $(compgen -f -- "$current"))
            compopt -o filenames 2>/dev/null
            ;;
        @hardware)
            COMPREPLY=($(compgen -W "$_archcost_hardware" -- "$current"))
            if [ ${#COMPREPLY[@]} -eq 0 ]; then
                COMPREPLY=($(compgen -f -- "$current"))
                compopt -o filenames 2>/dev/null
            fi
            ;;
        @types) COMPREPLY=($(compgen -W "$_archcost_types" -- "$current")) ;;
        @layers)
            [ -n "$network" ] && COMPREPLY=($(compgen -W "$(_archcost_layers "$network")" -- "$current"))
            ;;
        @files)
            COMPREPLY=($(compgen -f -- "$current"))
            compopt -o filenames 2>/dev/null
            ;;
        *)
            case "$current" in
                *,*) COMPREPLY=($(compgen -P "${current%,*}," -W "$_archcost_found" -- "${current##*,}")) ;;
                *) COMPREPLY=($(compgen -W "$_archcost_found" -- "$current")) ;;
            esac
            ;;
    esac
}

complete -F _archcost archcost
"""

ZSH = """\
# Completes archcost in zsh, by what completes it in bash. In ~/.zshrc, behind compinit:
#     eval "$(archcost completion zsh)"
autoload -U +X bashcompinit && bashcompinit

"""


def _fish(commands: Sequence[Offered]) -> Iterator[str]:
    yield "# Completes archcost in fish. Into ~/.config/fish/completions/archcost.fish."
    yield ""
    yield f"set -g __archcost_networks {' '.join(_networks())}"
    yield f"set -g __archcost_hardware {' '.join(_hardware())}"
    yield f"set -g __archcost_types {' '.join(_types())}"
    yield FISH
    for command in commands:
        before, _, word = command.name.rpartition(" ")
        is_there = f"__archcost_is {before}; and not __archcost_in {before}" if before else "__fish_use_subcommand"
        yield f"complete -c archcost -n '{is_there}' -f -a {word} -d {_quoted(command.help)}"
    for command in commands:
        for place in command.places:
            yield f"complete -c archcost -n '__archcost_is {command.name}' {_fish_value(place.value)}"
        for option in command.options:
            yield f"complete -c archcost -n '__archcost_is {command.name}' {_fish_option(option)}"


FISH = """
function __archcost_is
    set -l words (commandline -opc)
    set -l last (math 1 + (count $argv))
    test (count $words) -ge $last; and test "$words[2..$last]" = "$argv"
end

function __archcost_in
    test (count (commandline -opc)) -gt 2
end

function __archcost_layers
    set -l words (commandline -opc)
    archcost summary $words[3] --columns name --format csv 2>/dev/null | tail -n +2 | cut -d , -f 1
end
"""


def _fish_option(option: Option) -> str:
    names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    value = [] if option.value is None else ["-r", _fish_value(option.value)]
    return " ".join([*names, *value, f"-d {_quoted(option.help.partition(';')[0].partition(':')[0])}"])


def _fish_value(value: Value) -> str:
    match value.kind:
        case "networks" | "hardware":
            return f'-F -a "$__archcost_{value.kind}"'
        case "types":
            return '-f -a "$__archcost_types"'
        case "layers":
            return '-f -a "(__archcost_layers)"'
        case "files":
            return "-F"
        case _:
            return f"-f -a {_quoted(' '.join(value.words))}" if value.words else "-f"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
