import type { ShellCommand, ValueKind } from './words.ts'
import { firstWords, groupsOf } from './words.ts'

/** For `~/.config/fish/completions/sentinel.fish`. */
export function fishCompletion (commands: readonly ShellCommand[]): string {
  const lines = firstWords(commands).map(({ name, doc }) => row(condition('at'), `-a ${quoted(name)} -d ${quoted(doc)}`))
  for (const { name } of firstWords(commands)) if (name !== 'help') lines.push(row(condition('at help'), `-a ${quoted(name)}`))
  for (const [group, members] of groupsOf(commands)) {
    for (const { name, doc } of members) lines.push(row(condition(`at ${group}`), `-a ${quoted(name.split(' ')[1] ?? '')} -d ${quoted(doc)}`))
  }
  for (const { name, options, values } of commands) {
    for (const { long, short, doc, value } of options) {
      const names = `${short === undefined ? '' : `-s ${short} `}-l ${long}`
      lines.push(row(condition(`in ${name}`), `${names}${value === undefined ? '' : ` -x${given(value.kind)}`} -d ${quoted(doc)}`))
    }
    const kinds = values.map(({ kind }) => kind)
    const words = kinds.flatMap(kind => kind.is === 'words' ? kind.words : [])
    if (words.length > 0) lines.push(row(condition(`at ${name}`), `-a ${quoted(words.join(' '))}`))
    else if (kinds.some(kind => kind.is === 'file')) lines.push(row(condition(`in ${name}`), '-F'))
  }
  return `# Completion of sentinel for fish: sentinel completion fish | source

function __sentinel_words
    for word in (commandline -opc)[2..-1]
        string match -q -- '-*' $word; or echo $word
    end
end

# These words stand there, and no others.
function __sentinel_at
    set -l words (__sentinel_words)
    test "$words" = "$argv"
end

# These words stand first.
function __sentinel_in
    set -l words (__sentinel_words)
    test (count $words) -ge (count $argv); and test "$words[1..(count $argv)]" = "$argv"
end

complete -c sentinel -f
${lines.join('\n')}
`
}

function row (when: string, what: string): string {
  return `complete -c sentinel -n ${when} ${what}`
}

function condition (words: string): string {
  return quoted(`__sentinel_${words}`)
}

function given (kind: ValueKind): string {
  switch (kind.is) {
    case 'words': return ` -a ${quoted(kind.words.join(' '))}`
    case 'file': return ' -a "(__fish_complete_path (commandline -ct))"'
    case 'folder': return ' -a "(__fish_complete_directories (commandline -ct))"'
    case 'text': return ''
  }
}

function quoted (text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
