import { listenAddress } from '../schema/address.ts'
import { block } from '../schema/blocks.ts'
import { anything, setting } from '../schema/fields.ts'
import { bool, oneOf, pathOr, words } from '../schema/values.ts'
import { urlPath } from './types.ts'

const accessLogFormat = words(['json'], { notBuilt: { combined: 'json', common: 'json', clf: 'json', custom: 'json' } })

const accessLog = {
  enabled: setting(bool, true, 'Whether there is one.'),
  file: setting(pathOr('stdout', 'stderr'), 'stdout', 'Where to: a file, stdout or stderr.'),
  format: setting(accessLogFormat, 'json', 'Form of a line.'),
  bufferSize: anything('Bytes gathered before writing.'),
  includeTraceId: anything('Ids are always there.'),
  fields: anything('Which fields to write.'),
  sampleRate: anything('Write only some lines.', { aliases: ['sampling-rate'] }),
}

/** Two places hold it; `present` tells which one was used. */
const accessLogBlock = (doc: string) => block(accessLog, doc, {
  build: (value, here) => ({ ...value, present: here.given('enabled') || here.given('file') || here.given('format') }),
})

const later = {
  errorLog: anything('A file of errors.'),
  auditLog: anything('A file of decisions. See `evidence`.'),
}

const fields = {
  logging: block({
    level: setting(oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal'), 'info', 'Least important records to write.'),
    format: setting(oneOf('auto', 'json', 'pretty'), 'auto', 'auto = pretty on a terminal, else JSON.'),
    accessLog: accessLogBlock('Older place of `access-log`.'),
    ...later,
    timestamps: anything('Times are always there.'),
    file: anything('A file for the program\'s own log.'),
  }, 'What the program itself writes, on stderr.'),
  accessLog: accessLogBlock('One line for each request.'),
  metrics: block({
    enabled: setting(bool, true, 'Whether they are served.'),
    address: setting(listenAddress, '127.0.0.1:9090', 'IP and port to serve them on.', { aliases: ['bind-address'] }),
    path: setting(urlPath, '/metrics', 'Path to serve them at.', { aliases: ['endpoint'] }),
    port: anything('Use `address`.'),
    highCardinality: anything('More labels.'),
  }, 'Figures in Prometheus form.', { build: (value, here) => ({ ...value, byDefault: !here.given('address') }) }),
  tracing: anything('Traces for a collector.'),
  ...later,
}

export const observability = block(fields, 'What the program tells about its work.', {
  build (value, here) {
    const { accessLog: { present: own, ...accessLogHere }, logging: { accessLog: inLogging, ...logging }, metrics } = value
    const { present: older, ...accessLogInLogging } = inLogging
    if (own && older) here.report.error('CONFIG_REPEATED', "'access-log' is given twice: in 'observability' and in 'logging'", here.where('accessLog'))
    return { logging, accessLog: older && !own ? accessLogInLogging : accessLogHere, metrics }
  },
})
