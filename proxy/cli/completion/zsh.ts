import type { ShellCommand, ShellOption, ValueKind } from './words.ts'
import { firstWords, groupsOf } from './words.ts'

/** For a file named `_sentinel` in a folder of `$fpath`, or for `eval`. */
export function zshCompletion (commands: readonly ShellCommand[]): string {
  const groups = groupsOf(commands)
  const alone = commands.filter(({ name }) => !name.includes(' '))
  return `#compdef sentinel
# Completion of sentinel for zsh: eval "$(sentinel completion zsh)"

_sentinel () {
  local -a names
  if (( CURRENT == 2 )); then
    names=(${described(firstWords(commands))})
    _describe 'command' names
    return
  fi
  shift words
  (( CURRENT-- ))
  case "$words[1]" in
    help)
      names=(${described(firstWords(commands).filter(({ name }) => name !== 'help'))})
      _describe 'command' names ;;
${[...groups].map(([group, members]) => grouped(group, members, alone)).join('')}${alone.filter(({ name }) => !groups.has(name)).map(command => `    ${command.name})\n${args(command, '      ')} ;;\n`).join('')}  esac
}

if [ "$funcstack[1]" = '_sentinel' ]; then
  _sentinel "$@"
else
  compdef _sentinel sentinel
fi
`
}

function grouped (group: string, members: readonly ShellCommand[], alone: readonly ShellCommand[]): string {
  const own = alone.find(({ name }) => name === group)
  return `    ${group})
      if (( CURRENT == 2 )); then
        names=(${described(members.map(({ name, doc }) => ({ name: name.split(' ')[1] ?? '', doc })))})
        _describe 'command' names
${own === undefined ? '' : `${args(own, '        ')}\n`}        return
      fi
      shift words
      (( CURRENT-- ))
      case "$words[1]" in
${members.map(member => `        ${member.name.split(' ')[1]})\n${args(member, '          ')} ;;\n`).join('')}      esac ;;
`
}

function described (names: readonly { readonly name: string, readonly doc: string }[]): string {
  return names.map(({ name, doc }) => quoted(`${name}:${doc}`)).join(' ')
}

function args ({ options, values }: ShellCommand, indent: string): string {
  const rows = [...options.map(optionRow), ...values.map(({ name, kind, repeats }, index) => quoted(`${repeats ? '*' : index + 1}:${plain(name)}:${action(kind)}`))]
  return `${indent}_arguments ${rows.join(` \\\n${indent}  `)}`
}

function optionRow ({ long, short, doc, value }: ShellOption): string {
  const what = `[${plain(doc)}]${value === undefined ? '' : `:${plain(value.name)}:${action(value.kind)}`}`
  const equals = value === undefined ? '' : '='
  return short === undefined ? quoted(`--${long}${equals}${what}`) : `${quoted(`(-${short} --${long})`)}{-${short},--${long}${equals}}${quoted(what)}`
}

function action (kind: ValueKind): string {
  switch (kind.is) {
    case 'words': return `(${kind.words.join(' ')})`
    case 'file': return '_files'
    case 'folder': return '_files -/'
    case 'text': return ' '
  }
}

function plain (text: string): string {
  return text.replace(/[[\]:\\]/g, '\\$&')
}

function quoted (text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`
}
