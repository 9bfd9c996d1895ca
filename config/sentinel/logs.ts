import type { KdlNode } from '../kdl/nodes.ts'
import { block, optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import type { Here } from '../schema/read-block.ts'
import { inert, list, notBuilt, optional, setting } from '../schema/fields.ts'
import { sizeWithin } from '../schema/quantities.ts'
import { bool, oneOf, path, pathOr, text, words } from '../schema/values.ts'
import { logField, logTemplate, logVariables } from './log-fields.ts'
import { ratio, token } from './types.ts'

/** How important a record is. */
export const level = words(['trace', 'debug', 'info', 'warn', 'error', 'fatal'], { also: { warn: ['warning'], error: ['err'], fatal: ['critical'] } })

const gathered = setting(sizeWithin('1KiB', '1MiB'), '64KiB', 'Lines are written when so many bytes of them have come, and after 20 ms in any case. 4 MiB may wait for a slow disk; what comes then is lost, counted and said.')

const accessLogFields = {
  enabled: setting(bool, true, 'Whether there is one.'),
  file: setting(pathOr('stdout', 'stderr'), 'stdout', 'Where to: a file, stdout or stderr.', { aliases: ['path'] }),
  format: setting(words(['json', 'combined', 'common', 'custom'], { also: { common: ['clf'], custom: ['template'] } }), 'json',
    'Form of a line: json has everything, combined and common (also called clf) are those of Apache, which name no agents, custom is that of `template`.'),
  template: optional(logTemplate, `A line of \`format "custom"\`. What comes from outside is escaped as Apache does it; what is missing is \`-\`. Besides the facts that header values may have there are ${Object.keys(logVariables).map(name => `\`${name}${name.endsWith('.') ? 'NAME' : ''}\``).join(', ')}.`),
  sampleRate: setting(ratio, 1, 'Share of the requests that get a line, chosen by their ids.', { aliases: ['sampling-rate'] }),
  alwaysLogErrors: setting(bool, true, 'Whether requests get a line in any case that ended in a fault or a status from 500 on, or were stopped by an agent.'),
  fields: list(logField, [], 'What a line of JSON has; everything without it.', { commas: true }),
  requestHeaders: list(token, [], 'Header fields of the request that a line of JSON has too; secret ones are hidden.', { commas: true }),
  responseHeaders: list(token, [], 'Header fields of the answer, likewise.', { commas: true }),
  attributes: list(text, [], 'Facts attached by agents and filters that a line of JSON has too.', { commas: true }),
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
  build: (value, here) => {
    checkFormat(value, here)
    // Files of the language's first users name this form and no template.
    const format = value.format === 'custom' && value.template === undefined ? 'json' : value.format
    return { ...value, format, present: (Object.keys(accessLogFields) as (keyof typeof accessLogFields)[]).some(name => here.given(name)) }
  },
})

/** What one form has, another one would leave out unsaid. */
function checkFormat ({ format, template }: { readonly format: string, readonly template: unknown }, here: Here<typeof accessLogFields>): void {
  if (!here.clean) return
  const { report } = here
  if (format === 'custom' && template === undefined) {
    return report.warning('CONFIG_MISSING', `${here.scope} has format "custom" and no template: its lines are JSON`, here.where('format'), 'write template "${client.ip} ${request.method} ${request.uri} ${response.status}"')
  }
  if (format !== 'custom' && here.given('template')) report.error('CONFIG_CONTRADICTION', `${here.scope} has a template, and format "${format}", which takes none`, here.where('template'), 'write format "custom"')
  if (format === 'json') return
  const ofJson = (['fields', 'requestHeaders', 'responseHeaders', 'attributes'] as const).find(name => here.given(name))
  if (ofJson !== undefined) report.error('CONFIG_CONTRADICTION', `only lines of format "json" have what '${settingNames[ofJson]}' chooses`, here.where(ofJson), 'write format "json"')
}

const settingNames = { fields: 'fields', requestHeaders: 'request-headers', responseHeaders: 'response-headers', attributes: 'attributes' } as const

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
