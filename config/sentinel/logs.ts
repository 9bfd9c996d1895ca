import type { KdlNode } from '../kdl/nodes.ts'
import { block, optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { inert, list, notBuilt, optional, setting } from '../schema/fields.ts'
import { size } from '../schema/quantities.ts'
import { bool, oneOf, path, pathOr, text, words } from '../schema/values.ts'
import { ratio } from './types.ts'

/** How important a record is. */
export const level = words(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], { also: { warn: ['warning'], error: ['err'], fatal: ['critical'] } })

const gathered = inert(size, 'Bytes gathered before writing.', 'lines are gathered while a write is under way, and never longer')

const accessLogFields = {
  enabled: setting(bool, true, 'Whether there is one.'),
  file: setting(pathOr('stdout', 'stderr'), 'stdout', 'Where to: a file, stdout or stderr.', { aliases: ['path'] }),
  format: setting(words(['json', 'combined', 'common'], { also: { common: ['clf'] }, notBuilt: { custom: 'json' } }), 'json',
    'Form of a line: json has everything, combined and common (also called clf) are those of Apache, which name no agents.'),
  sampleRate: notBuilt(setting(ratio, 1, 'Share of the requests that get a line.', { aliases: ['sampling-rate'] })),
  alwaysLogErrors: notBuilt(setting(bool, true, 'Whether requests that failed get a line in any case.')),
  fields: notBuilt(list(text, [], 'What a line of JSON has; everything without it.', { commas: true })),
  bufferSize: gathered,
  includeTraceId: inert(bool, 'Whether lines have the id of the request.', 'every line of JSON has it'),
}

function asList (node: KdlNode): KdlNode {
  const on = (node.children ?? []).filter(child => child.args[0]?.value !== false)
  return { ...node, args: on.map(child => ({ value: child.name, at: child.at })), props: [], children: undefined }
}

const olderAccessLog: OlderForms = {
  fields: {
    doc: 'write fields "name" "name"',
    when: node => node.children !== undefined,
    into: node => [asList(node)],
  },
  sampling: {
    doc: 'write sample-rate 0.1',
    into: node => (node.children ?? []).flatMap(child => {
      if (child.name === 'enabled') return []
      return [{ ...child, name: child.name === 'rate' ? 'sample-rate' : child.name }]
    }),
    when: node => (node.children ?? []).every(({ name, args }) => name === 'enabled' ? args[0]?.value === true : ['rate', 'sample-rate', 'always-log-errors'].includes(name)),
  },
}

export const accessLogExample = `access-log {
    file "/var/log/sentinel/access.log"
    format "combined"
}`

/** Two places hold it; `present` tells which one was used. */
export const accessLog = (doc: string) => block(accessLogFields, doc, {
  older: olderAccessLog,
  example: accessLogExample,
  build: (value, here) => ({ ...value, present: (Object.keys(accessLogFields) as (keyof typeof accessLogFields)[]).some(name => here.given(name)) }),
})

const auditEvent = words([
  'blocked', 'agent-decision', 'waf-match', 'waf-block', 'rate-limit-exceeded', 'auth-event', 'config-change', 'cert-reload', 'circuit-breaker-change',
  'cache-purge', 'admin-action', 'custom',
], { also: { 'auth-event': ['auth-failure'], 'admin-action': ['admin-access'] } })

/** Two places hold these as well. */
export const otherLogs = {
  errorLog: notBuilt(optionalBlock({
    enabled: setting(bool, true, 'Whether there is one.'),
    file: setting(path, '/var/log/sentinel/error.log', 'Where to.', { aliases: ['path'] }),
    level: setting(words(['warn', 'error'], { also: { warn: ['warning'] } }), 'warn', 'Least important records to write.'),
    bufferSize: gathered,
  }, 'A file of its own for what went wrong.', {
    example: 'error-log {\n    file "/var/log/sentinel/error.log"\n    level "error"\n}',
  })),
  auditLog: notBuilt(optionalBlock({
    enabled: setting(bool, true, 'Whether there is one.'),
    file: setting(path, '/var/log/sentinel/audit.log', 'Where to.', { aliases: ['path'] }),
    format: setting(oneOf('json'), 'json', 'Form of a line.'),
    bufferSize: gathered,
    logBlocked: setting(bool, true, 'Requests that were refused.'),
    logAgentDecisions: setting(bool, true, 'What agents decided.'),
    logWafEvents: setting(bool, true, 'Rules that matched.'),
    events: list(auditEvent, [], 'Kinds of events to write; all without it.', { aliases: ['event'], commas: true }),
  }, 'A file of security events. `evidence` is the one that cannot be changed unseen.', {
    example: 'audit-log {\n    file "/var/log/sentinel/audit.log"\n    log-agent-decisions #true\n}',
  })),
}

export const programLog = {
  timestamps: inert(bool, 'Whether records have the time.', 'every record has it'),
  file: notBuilt(optional(path, 'File for what the program itself writes; stderr without it.')),
}
