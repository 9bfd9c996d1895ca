import { readFileSync } from 'node:fs'
import { eventFrom, NotAMessage, replyFrom, type PlainJson, type PlainObject } from '../../../proto/message-json.ts'
import { CASE_VERSION } from '../../observe/case-line.ts'
import { NotReplayable, type AgentCase, type AskedCase, type Case, type Cases } from './cases.ts'
import { caseOfReceipt } from './receipt-case.ts'

/** A recording, or an evidence file. Throws `NotReplayable`, and what the system says of a file that cannot be read. */
export function readCases (path: string, name: string): Cases {
  const lines = readFileSync(path, 'utf8').split('\n')
  // Whoever wrote it was stopped in the middle of a line: those before are whole.
  const cut = lines.length > 1 && isCut(lines.at(-1) ?? '') ? lines.pop() : undefined
  const records = lines.flatMap((text, i) => text.trim() === '' ? [] : [{ at: `${name}:${i + 1}`, record: parsed(text, `${name}:${i + 1}`) }])
  const [first] = records
  if (first === undefined) throw new NotReplayable(`${name} is empty`)
  const found = typeof first.record['seq'] === 'number' ? fromEvidence(records) : fromRecording(records, name)
  if (found.cases.length === 0) throw new NotReplayable([`${name} holds nothing that can be put to an agent`, ...found.notes].join('; '))
  return cut === undefined ? found : { ...found, notes: [...found.notes, `the last line of ${name} is cut off and left out`] }
}

function isCut (line: string): boolean {
  if (line.trim() === '') return false
  try {
    JSON.parse(line)
    return false
  } catch {
    return true
  }
}

interface Line {
  readonly at: string
  readonly record: PlainObject
}

function fromRecording (records: readonly Line[], name: string): Cases {
  const cases: Case[] = []
  let terms: Cases['terms'] = { bodies: false, unredacted: false }
  let lost: number | undefined
  for (const { at, record } of records) {
    if (record['v'] !== CASE_VERSION) throw new NotReplayable(`${at} is of version ${JSON.stringify(record['v'])}; this Sentinel reads version ${CASE_VERSION}`)
    if (record['kind'] === 'head') terms = { bodies: record['bodies'] === true, unredacted: record['unredacted'] === true }
    else if (record['kind'] === 'end') lost = Number(record['lost'])
    else if (record['kind'] === 'case') cases.push(caseOf(record, at))
    // Other kinds are of a later version, which says no less without them.
  }
  return {
    cases, terms,
    notes: [
      ...lost === undefined ? [`${name} has no end: the recording was broken off, or somebody put files together`] : [],
      ...lost !== undefined && lost > 0 ? [`${lost === 1 ? '1 exchange was' : `${lost} exchanges were`} not recorded, because too much came at once`] : [],
    ],
  }
}

function fromEvidence (records: readonly Line[]): Cases {
  let [unshown, masked] = [0, 0]
  const cases = records.flatMap(({ at, record }) => {
    if (record['kind'] !== 'decision') return []
    const found = caseOfReceipt(record, at)
    if (found === 'masked') masked++
    else if (found === 'unshown') unshown++
    return typeof found === 'object' ? [found] : []
  })
  const notes = [
    'this is evidence: it holds method, host, path, route and client of what was decided, but no fields, queries, bodies and responses, and nothing of plain allows',
    ...masked === 0 ? [] : [`${masked === 1 ? '1 receipt is left out: its path is' : `${masked} receipts are left out: their paths are`} masked`],
    ...unshown === 0 ? [] : [`${unshown === 1 ? '1 receipt is left out: it is' : `${unshown} receipts are left out: they are`} about bodies or responses`],
  ]
  return { cases, terms: undefined, notes }
}

function caseOf (record: PlainObject, at: string): Case {
  const request = object(record['request'], `${at}: request`)
  const query = request['query'] === undefined ? '' : `?${text(request['query'], `${at}: request.query`)}`
  const response = record['response'] === undefined ? undefined : object(record['response'], `${at}: response`)
  return {
    at, id: text(record['id'], `${at}: id`), route: typeof record['route'] === 'string' ? record['route'] : '',
    line: `${text(request['method'], `${at}: method`)} ${text(request['host'], `${at}: host`)}${text(request['path'], `${at}: path`)}${query}`,
    agents: list(record['agents'], `${at}: agents`).map((agent) => agentOf(object(agent, `${at}: agent`), at)),
    response: response === undefined ? undefined : { status: Number(response['status']), headers: linesOf(response['headers'], at) },
    missing: list(record['redacted'] ?? [], `${at}: redacted`).map(String),
    receipt: false,
  }
}

function linesOf (headers: PlainJson | undefined, at: string): string[] {
  return list(headers ?? [], `${at}: headers`).flatMap((pair) => list(pair, `${at}: field`).map(String))
}

function agentOf (agent: PlainObject, at: string): AgentCase {
  return {
    agent: text(agent['agent'], `${at}: agent`),
    mode: typeof agent['mode'] === 'string' ? agent['mode'] : 'enforce',
    asked: list(agent['asked'], `${at}: asked`).map((asked) => askedOf(object(asked, `${at}: asked`), at)),
  }
}

function askedOf (asked: PlainObject, at: string): AskedCase {
  const event = object(asked['event'], `${at}: event`)
  const reply = asked['reply'] === undefined ? undefined : object(asked['reply'], `${at}: reply`)
  try {
    eventFrom(event)
    if (reply !== undefined && reply['kind'] !== 'unrecognized') replyFrom(reply)
  } catch (error) {
    if (error instanceof NotAMessage) throw new NotReplayable(`${at}: ${error.message}`)
    throw error
  }
  const { timeout_ms: timeoutMs, failed } = asked
  return { event, reply, timeoutMs: typeof timeoutMs === 'number' ? timeoutMs : undefined, failed: typeof failed === 'string' ? failed : undefined }
}

function parsed (line: string, at: string): PlainObject {
  try {
    return object(JSON.parse(line) as PlainJson, at) // What JSON.parse gives.
  } catch (error) {
    throw new NotReplayable(error instanceof NotReplayable ? error.message : `${at} is not JSON`)
  }
}

function object (value: PlainJson | undefined, what: string): PlainObject {
  if (typeof value !== 'object' || value === null || isList(value)) throw new NotReplayable(`${what} is not an object`)
  return value
}

function list (value: PlainJson | undefined, what: string): readonly PlainJson[] {
  if (value === undefined || !isList(value)) throw new NotReplayable(`${what} is not a list`)
  return value
}

function text (value: PlainJson | undefined, what: string): string {
  if (typeof value !== 'string') throw new NotReplayable(`${what} is not a string`)
  return value
}

/** `Array.isArray` does not know readonly lists. */
function isList (value: PlainJson): value is readonly PlainJson[] {
  return Array.isArray(value)
}
