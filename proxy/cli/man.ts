import { readVersion } from '../lifecycle/version.ts'
import type { Command, CommandOption } from './command.ts'

/** `all` gives the table of commands, which this one is in itself. */
export function man (all: () => Promise<readonly Command[]>): Command {
  return {
    name: 'man',
    doc: 'Print the manual page sentinel(1): sentinel man | man -l -',
    options: {},
    async run (shell) {
      shell.out(manualPage(await all(), readVersion()))
      return 0
    },
  }
}

const exitCodes: readonly (readonly [string, string])[] = [
  ['0', 'All is well.'],
  ['1', 'The configuration has errors, or what was checked is not as it should be.'],
  ['2', 'Something failed at run time, or the command line was not understood.'],
  ['3', 'Something would change: the answer of commands that compare.'],
]

const files: readonly (readonly [string, string])[] = [
  ['sentinel.kdl', 'The configuration, in the folder where the command is given. Another one is named with --config.'],
]

const environment: readonly (readonly [string, string])[] = [
  ['NO_COLOR', 'No colours, also on a terminal.'],
  ['SENTINEL_ZONE', 'Where this proxy runs, for locality-aware balancing, where the configuration does not say it.'],
  ['SENTINEL_INSTANCE_ID', 'What tells this proxy from others of the same configuration, where the configuration does not say it.'],
  ['any other', 'A configuration can take values from the environment: "${NAME}", or "${NAME:-default}". They are never printed.'],
]

const signals: readonly (readonly [string, string])[] = [
  ['SIGHUP', 'sentinel run reads the configuration anew. With an error in it, the old one stays.'],
  ['SIGUSR1', 'sentinel run opens its log files anew, after they were moved away.'],
  ['SIGTERM, SIGINT', 'sentinel run finishes open requests and ends. The second one ends it at once.'],
]

export function manualPage (commands: readonly Command[], version: string): string {
  return [
    `.TH SENTINEL 1 "" "sentinel ${text(version)}" "User Commands"`,
    '.SH NAME', 'sentinel \\- a reverse proxy whose policy lives in agents',
    '.SH SYNOPSIS', '.B sentinel', '.I COMMAND', '[\\fIOPTIONS\\fR]',
    '.SH DESCRIPTION',
    'Sentinel stands in front of web applications and decides about every request with the help of agents: programs of their own that it asks.',
    'One file in the language KDL says what it does.',
    '.SH COMMANDS', ...commands.flatMap(commandSection),
    '.SH EXIT STATUS', ...exitCodes.flatMap(term),
    '.SH FILES', ...files.flatMap(term),
    '.SH ENVIRONMENT', ...environment.flatMap(term),
    '.SH SIGNALS', ...signals.flatMap(term),
  ].join('\n') + '\n'
}

function commandSection ({ name, doc, arguments: args, options }: Command): string[] {
  return [
    `.SS "sentinel ${text(name)}${args === undefined ? '' : ` ${text(args)}`}"`,
    line(doc),
    ...Object.entries(options).flatMap(([long, option]) => optionRow(long, option)),
  ]
}

function optionRow (long: string, { type, short, value = 'VALUE', implied, doc }: CommandOption): string[] {
  const names = [...short === undefined ? [] : [`-${short}`], `--${long}`].map(name => `\\fB${text(name)}\\fR`).join(', ')
  const shown = implied === undefined ? ` \\fI${text(value)}\\fR` : `[=\\fI${text(value)}\\fR]`
  return ['.TP', `${names}${type === 'string' ? shown : ''}`, line(doc)]
}

function term ([name, doc]: readonly [string, string]): string[] {
  return ['.TP', `\\fB${text(name)}\\fR`, line(doc)]
}

/** A dot or an apostrophe at the beginning of a line would be an order to the formatter. */
function line (sentence: string): string {
  return text(sentence).replace(/^[.']/, '\\&$&')
}

/** ASCII alone: the formatter does not know what encoding it is given. */
function text (plain: string): string {
  const escapes: Readonly<Record<string, string>> = { '\n': ' ', '\\': '\\e', '-': '\\-', '"': '\\(dq', "'": '\\(aq', '`': '\\(ga' }
  return plain.replace(/[\n\\\-"'`]/g, char => escapes[char] ?? char)
    .replace(/[^\x20-\x7e]/gu, char => `\\[u${(char.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0')}]`)
}
