import { protocolVersions, type EventKind } from '../../../proto/codec/index.ts'
import { AgentLink } from '../by-hand/link.ts'
import { Bench } from './bench.ts'
import { Broken, type Check, type Subject } from './check.ts'

const asked = new Set<EventKind>([
  'request_headers', 'request_body', 'request_trailers', 'response_headers', 'response_body', 'response_trailers', 'websocket_message', 'tool_call', 'tool_result',
])

async function linked (subject: Subject, work: (link: AgentLink) => Promise<void>): Promise<void> {
  const link = await AgentLink.open(subject)
  try {
    await work(link)
  } finally {
    link.close()
  }
}

export const handshakeChecks: readonly Check[] = [
  {
    id: 'describe',
    rule: 'Describe gives a name, one of the protocol versions that are offered, and events that this version knows, at least one of which is answered.',
    run: (subject) => linked(subject, async (link) => {
      const { name, protocolVersion, events, configSchema } = await link.describe()
      if (name === '') throw new Broken('it has no name')
      if (!protocolVersions.includes(protocolVersion)) throw new Broken(`it chose version ${protocolVersion} where ${protocolVersions.join(', ')} was offered`)
      if (events.includes('unspecified') || events.includes('unrecognized')) throw new Broken('it wants an event of a kind that does not exist')
      if (!events.some((event) => asked.has(event))) throw new Broken(`it wants ${events.length === 0 ? 'no events' : events.join(', ')}: it would never be asked`)
      if (configSchema !== '' && !isObject(configSchema)) throw new Broken('its config_schema is no JSON schema')
    }),
  },
  {
    id: 'describe-version',
    rule: 'Where none of the offered protocol versions fits, Describe chooses 0.',
    run: (subject) => linked(subject, async (link) => {
      const { protocolVersion } = await link.describe([999])
      if (protocolVersion !== 0) throw new Broken(`it chose ${protocolVersion} where 999 was offered`)
    }),
  },
  {
    id: 'configure',
    rule: 'Configure takes a configuration that is right, as often as it is sent.',
    run: (subject) => linked(subject, async (link) => {
      await link.describe()
      for (const version of ['one', 'two', 'two']) {
        const { accepted, problems } = await link.configure(subject.config, { version })
        if (!accepted) throw new Broken(`it refuses ${subject.config.slice(0, 200)}: ${problems[0]?.message ?? 'without a reason'}`)
        if (problems.length > 0) throw new Broken('it accepts, and gives problems all the same')
      }
    }),
  },
  {
    id: 'configure-refuse',
    rule: 'A configuration that cannot be read is refused with at least one problem that has a message, and changes nothing.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const { accepted, problems } = await bench.link.configure('{"')
      if (accepted) throw new Broken('it accepts a configuration that is not JSON')
      if (problems.length === 0 || problems.some(({ message }) => message === '')) throw new Broken('it does not say what is wrong')
      await bench.ask(1)
    }),
  },
  {
    id: 'configure-validate',
    rule: 'validate_only judges as Configure does, and changes nothing.',
    run: (subject) => Bench.use(subject, async (bench) => {
      const right = await bench.link.configure(subject.config, { validateOnly: true, version: 'next' })
      if (!right.accepted) throw new Broken('it would refuse what it has accepted before')
      const wrong = await bench.link.configure('[', { validateOnly: true, version: 'next' })
      if (wrong.accepted) throw new Broken('it would accept a configuration that is not JSON')
      await bench.ask(1)
    }),
  },
]

function isObject (text: string): boolean {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}
