import type { KdlEntry, KdlNode } from '../kdl/nodes.ts'
import { listenAddress } from '../schema/address.ts'
import { block, optionalBlock } from '../schema/blocks.ts'
import type { OlderForms } from '../schema/field.ts'
import { setting } from '../schema/fields.ts'
import { durationWithin } from '../schema/quantities.ts'
import { bool, text, words } from '../schema/values.ts'
import { collectorFields, collectorOf } from './collector.ts'
import { accessLog, level, otherLogs, programLog, redact } from './logs.ts'
import { tracing } from './tracing.ts'
import { urlPath } from './types.ts'

const pushFields = {
  ...collectorFields,
  interval: setting(durationWithin('1s', '1h'), '60s', 'Time between two deliveries.'),
  serviceName: setting(text, 'sentinel', 'What this proxy is called there.'),
}

const fields = {
  logging: block({
    level: setting(level, 'info', 'Least important records to write.'),
    format: setting(words(['auto', 'json', 'pretty'], { also: { pretty: ['text', 'human'] } }), 'auto', 'auto = pretty on a terminal, else JSON.'),
    accessLog: accessLog('Older place of `access-log`.'),
    ...otherLogs,
    ...programLog,
  }, 'What the program itself writes, on stderr.', {
    example: 'logging {\n    level "debug"\n    format "json"\n}',
    build (value, here) {
      if (value.rotate !== undefined && value.file === undefined) {
        here.report.error('CONFIG_CONTRADICTION', `${here.scope} is to be rotated, and names no file`, here.where('rotate'), 'write file "/var/log/sentinel/sentinel.log"')
      }
      return { ...value, levelByDefault: !here.given('level') }
    },
  }),
  accessLog: accessLog('One line for each request.'),
  metrics: block({
    enabled: setting(bool, true, 'Whether they are served.'),
    address: setting(listenAddress, '127.0.0.1:9090', 'IP and port to serve them on.', { aliases: ['bind-address', 'bind'] }),
    path: setting(urlPath, '/metrics', 'Path to serve them at.', { aliases: ['endpoint'] }),
    highCardinality: setting(bool, false, 'More figures, with labels that clients choose: requests by host and by method as sent, answer times by target.'),
    otlp: optionalBlock(pushFields, 'Figures are brought to a collector as well, in OTLP.', {
      example: 'otlp {\n    endpoint "http://127.0.0.1:4318"\n    interval "30s"\n}',
      build: ({ interval, serviceName, ...collector }, here) => ({ ...collectorOf(collector, here), interval, serviceName }),
    }),
  }, 'Figures in Prometheus form.', {
    example: 'metrics {\n    address "127.0.0.1:9191"\n    path "/metrics"\n}',
    build: (value, here) => ({ ...value, byDefault: !here.given('address') }),
  }),
  redact,
  tracing,
  ...otherLogs,
}

const isAddress = ({ name }: KdlNode): boolean => ['address', 'bind-address', 'bind'].includes(name)

/** `metrics { bind-address "0.0.0.0"; port 9090 }`: address and port apart. Without an address, only this machine is let in. */
function withAddress (node: KdlNode): KdlNode {
  const children = node.children ?? []
  const port = children.find(({ name }) => name === 'port')
  const host = children.find(isAddress)
  const [number] = port?.args ?? []
  const [written] = host?.args ?? []
  if (port === undefined || number === undefined) return node
  const text = typeof written?.value === 'string' ? written.value : '127.0.0.1'
  const entry: KdlEntry = { ...number, value: `${text.includes(':') && !text.startsWith('[') ? `[${text}]` : text}:${String(number.value)}` }
  return { ...node, children: [...children.filter(child => child !== port && child !== host), { ...port, name: 'address', args: [entry] }] }
}

const older: OlderForms = {
  metrics: {
    doc: 'write address "127.0.0.1:9090"',
    when: node => (node.children ?? []).some(({ name, args }) => name === 'port' && args.length === 1) &&
      !(node.children ?? []).some(child => isAddress(child) && /^(?:\[.*\]|[^:]+)?:\d+$/.test(String(child.args[0]?.value))),
    into: node => [withAddress(node)],
  },
}

export const observability = block(fields, 'What the program tells about its work.', {
  older,
  example: `observability {
    logging {
        level "info"
    }
    access-log {
        file "/var/log/sentinel/access.log"
    }
    metrics {
        address "127.0.0.1:9191"
    }
}`,
  build (value, here) {
    const { accessLog: { present: own, ...accessLogHere }, logging: { accessLog: inLogging, errorLog, auditLog, ...logging }, metrics, tracing: traces } = value
    const { present: older, ...accessLogInLogging } = inLogging
    if (own && older) here.report.error('CONFIG_REPEATED', "'access-log' is given twice: in 'observability' and in 'logging'", here.where('accessLog'))
    const twice = (kdl: string, name: 'errorLog' | 'auditLog'): void => here.report.error('CONFIG_REPEATED', `'${kdl}' is given twice: in 'observability' and in 'logging'`, here.where(name))
    if (value.errorLog !== undefined && errorLog !== undefined) twice('error-log', 'errorLog')
    if (value.auditLog !== undefined && auditLog !== undefined) twice('audit-log', 'auditLog')
    const access = older && !own ? accessLogInLogging : accessLogHere
    const { redact: hidden } = value
    return { logging, errorLog: value.errorLog ?? errorLog, auditLog: value.auditLog ?? auditLog, accessLog: access, redact: hidden, metrics, tracing: traces }
  },
})
