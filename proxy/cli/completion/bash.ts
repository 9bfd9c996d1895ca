import type { ShellCommand, ValueKind } from './words.ts'
import { firstWords, groupsOf } from './words.ts'

/** Works without the package bash-completion, and with the bash 3.2 of macOS. */
export function bashCompletion (commands: readonly ShellCommand[]): string {
  const groups = groupsOf(commands)
  const first = firstWords(commands).map(({ name }) => name)
  return `# Completion of sentinel for bash: eval "$(sentinel completion bash)"

_sentinel_words () {
  COMPREPLY=($(compgen -W "$1" -- "$2"))
}

_sentinel_files () {
  local IFS=$'\\n'
  COMPREPLY=($(compgen "$1" -- "$2"))
  compopt -o filenames 2> /dev/null
}

_sentinel () {
  local current="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}" command='' word at
  COMPREPLY=()
  # Bash takes --option=value apart.
  if [ "$current" = '=' ]; then
    current=''
  elif [ "$before" = '=' ] && [ "$COMP_CWORD" -ge 2 ]; then
    before="\${COMP_WORDS[COMP_CWORD-2]}"
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    word="\${COMP_WORDS[at]}"
    case "$command:$word" in
${first.map(name => `      ':${name}') command='${name}' ;;\n`).join('')}${[...groups.values()].flat().map(({ name }) => `      '${name.replace(' ', ':')}') command='${name}' ;;\n`).join('')}    esac
  done
  case "$command:$before" in
${commands.flatMap(command => command.options.map(option => ({ command, option }))).flatMap(({ command, option }) => option.value === undefined ? [] : [
  `    ${[`--${option.long}`, ...option.short === undefined ? [] : [`-${option.short}`]].map(name => `'${command.name}:${name}'`).join(' | ')})`,
  `      ${give(option.value.kind)}`,
  '      return ;;',
]).join('\n')}
  esac
  case "$command" in
    '') _sentinel_words '${[...first, '--help', '--version'].join(' ')}' "$current" ;;
    'help') _sentinel_words '${first.filter(name => name !== 'help').join(' ')}' "$current" ;;
${[...groups].filter(([group]) => commands.every(({ name }) => name !== group)).map(([group, members]) =>
  `    '${group}') _sentinel_words '${[...members.map(({ name }) => name.split(' ')[1]), '--help'].join(' ')}' "$current" ;;\n`).join('')}${commands.map(command => ofCommand(command, groups)).join('')}  esac
}

complete -F _sentinel sentinel
`
}

function ofCommand ({ name, options, values }: ShellCommand, groups: ReadonlyMap<string, readonly ShellCommand[]>): string {
  const members = (groups.get(name) ?? []).map(member => member.name.split(' ')[1])
  const words = [...options.flatMap(({ long, short }) => [`--${long}`, ...short === undefined ? [] : [`-${short}`]]), ...members].join(' ')
  const [first] = values
  const option = `_sentinel_words '${words}' "$current"`
  if (first === undefined || first.kind.is === 'text') return `    '${name}') ${option} ;;\n`
  return `    '${name}')
      case "$current" in
        -*) ${option} ;;
        *) ${give(first.kind)} ;;
      esac ;;
`
}

function give (kind: ValueKind): string {
  switch (kind.is) {
    case 'words': return `_sentinel_words '${kind.words.join(' ')}' "$current"`
    case 'file': return '_sentinel_files -f "$current"'
    case 'folder': return '_sentinel_files -d "$current"'
    case 'text': return ':'
  }
}
