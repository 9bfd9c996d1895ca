import type { Body } from '../pipeline/body.ts'
import type { Exchange, MessageVerdict, Upgrade } from '../pipeline/exchange.ts'
import { Fault } from '../pipeline/faults.ts'
import { closeFrame, pingFrame } from './control-frames.ts'
import { opcodes, type Violation } from './frame-head.ts'
import { FrameScanner } from './frame-scanner.ts'
import type { Agreed } from './inspect/extensions.ts'
import type { Inspected, Inspection, MessageJudged } from './inspection.ts'
import { Lane, type LaneEvents } from './lane.ts'

export interface WatchSettings {
  /** No byte in either direction for so long ends the tunnel. */
  readonly idleMs: number
  /** `undefined`: nobody is asked. */
  readonly pingIntervalMs: number | undefined
  readonly pingTimeoutMs: number
  /** Infinity: any length. */
  readonly maxMessageBytes: number
  /** Whoever judges messages is shown them. */
  readonly inspection?: Inspection | undefined
}

/** How the two sides compress, where messages are looked at. */
export interface Beginning {
  /** An extension was agreed on. */
  readonly extended: boolean
  readonly packing?: Agreed | undefined
}

export interface Told {
  readonly passed?: FramesPassed | undefined
  readonly judged?: MessageJudged | undefined
}

/** "in" from the client, "out" to it. */
export type FramesPassed = (direction: 'in' | 'out', kind: keyof typeof opcodes, frames: number) => void

/** One end of the tunnel, as the proxy sees it. */
interface Side {
  readonly name: 'client' | 'upstream'
  /** What it says, on its way to the other side. */
  readonly lane: Lane
  readonly inspected: Inspected | undefined
  heardMs: number
  /** When it was asked whether it is still there; Infinity when it has been heard since. */
  askedMs: number
}

/** When one side has ended, or said Close, the other has no reason to be silent for longer. */
const partingMs = 10_000

/** Of a message that is looked at, and so held as a whole, where the configuration says nothing. */
const inspectedBytes = 1024 * 1024

/** Watches over both directions of one tunnel. */
export class Watch implements LaneEvents {
  readonly #x: Exchange
  readonly #settings: WatchSettings
  /** Nobody asked for what passes to be looked at. */
  readonly #lenient: boolean
  readonly #client: Side
  readonly #judged: MessageJudged | undefined
  #server: Side | undefined = undefined
  #scanners: readonly [client: FrameScanner, server: FrameScanner] | undefined = undefined
  #pingDueMs = Infinity
  #parting = false
  #timer: NodeJS.Timeout | undefined = undefined

  constructor (x: Exchange, upgrade: Upgrade, settings: WatchSettings, judged?: MessageJudged) {
    this.#x = x
    this.#settings = settings
    this.#judged = judged
    this.#lenient = settings.pingIntervalMs === undefined && settings.maxMessageBytes === Infinity
    const inspected = this.#inspect(upgrade.input, true)
    this.#client = sideOf('client', new Lane(inspected ?? upgrade.input, this, this.#lenient), inspected)
    upgrade.input = this.#client.lane
  }

  /** The tunnel is there. Gives what the upstream says in place of `body`. */
  begin (said: Body, { extended, packing }: Beginning): Body {
    const { pingIntervalMs } = this.#settings
    const judges = this.#x.upgrade?.judges ?? []
    const inspected = this.#inspect(said, false)
    this.#client.inspected?.begin(judges, packing?.fromClient)
    inspected?.begin(judges, packing?.fromServer)
    const body = inspected ?? said
    // What is looked at is measured where it comes in; what is put in its place is not its sender's.
    const maxMessageBytes = judges.length === 0 ? this.#settings.maxMessageBytes : Infinity
    const scanner = (masked: boolean): FrameScanner => new FrameScanner({ masked, extended, maxMessageBytes })
    const now = performance.now()
    const scanners = this.#scanners = [scanner(true), scanner(false)] as const
    this.#client.lane.follow(scanners[0])
    this.#client.heardMs = now
    this.#server = sideOf('upstream', new Lane(body, this, this.#lenient, scanners[1]), inspected)
    if (pingIntervalMs !== undefined) this.#pingDueMs = now + pingIntervalMs
    this.#arm(now)
    return this.#server.lane
  }

  /** Tells how many frames of each kind passed. */
  tell (passed: FramesPassed): void {
    if (this.#scanners === undefined) return
    for (const [i, direction] of (['in', 'out'] as const).entries()) {
      for (const [kind, opcode] of Object.entries(opcodes)) {
        const frames = this.#scanners[i]!.passed[opcode]!
        if (frames > 0) passed(direction, kind as keyof typeof opcodes, frames) // They are its keys.
      }
    }
  }

  stop (): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  heard (lane: Lane): void {
    const side = this.#senderOf(lane)
    side.heardMs = performance.now()
    side.askedMs = Infinity
  }

  violated (lane: Lane, { code, detail }: Violation): void {
    const sender = this.#senderOf(lane)
    this.#finish(new Fault(sender.name === 'client' ? 'MESSAGE_REFUSED' : 'UPSTREAM_PROTOCOL', `the ${sender.name} sent ${detail}`), sender, code)
  }

  ended (): void {
    this.#parting = true
    this.#pingDueMs = Infinity
    if (this.#timer !== undefined) this.#arm(performance.now())
  }

  closing (): void {
    this.#finish(new Fault('SHUTTING_DOWN', 'the listener is closed'))
  }

  #inspect (source: Body, fromClient: boolean): Inspected | undefined {
    const { inspection, maxMessageBytes } = this.#settings
    const lane = (): Lane => fromClient ? this.#client.lane : this.#server!.lane
    return inspection?.inspect(source, {
      fromClient,
      maxMessageBytes: maxMessageBytes === Infinity ? inspectedBytes : maxMessageBytes,
      events: {
        heard: () => this.heard(lane()),
        violated: (violation) => this.violated(lane(), violation),
        closed: (why) => this.#close(why),
      },
      told: (outcome) => this.#judged?.(fromClient ? 'in' : 'out', outcome),
    })
  }

  /** Whoever judges messages wants that. */
  #close ({ code, reason, fault }: Extract<MessageVerdict, { kind: 'close' }>): void {
    this.stop()
    if (fault !== undefined) this.#x.fault ??= fault
    const [client, server] = this.#sides()
    client?.lane.finish(closeFrame(code, true, reason))
    server?.lane.finish(closeFrame(code, false, reason))
  }

  #senderOf (lane: Lane): Side {
    return lane === this.#client.lane ? this.#client : this.#server!
  }

  #sides (): Side[] {
    return this.#server === undefined ? [] : [this.#client, this.#server]
  }

  #tick (): void {
    const now = performance.now()
    for (const side of this.#sides()) if (side.inspected?.waiting === true) excuse(side, now)
    const silent = this.#sides().find(({ askedMs }) => now - askedMs >= this.#settings.pingTimeoutMs)
    if (silent !== undefined) {
      return this.#finish(new Fault(silent.name === 'client' ? 'CLIENT_TIMEOUT' : 'UPSTREAM_TIMEOUT', `the ${silent.name} did not answer a ping`), silent, 1002)
    }
    if (now >= this.#idleDueMs()) return this.#finish(new Fault('TUNNEL_IDLE', `no byte for ${Math.round(this.#idleMs())} ms`))
    if (now >= this.#pingDueMs) {
      this.#ask()
      this.#pingDueMs = now + this.#settings.pingIntervalMs!
    }
    this.#arm(now)
  }

  /** Whoever is asked hears it on the lane of the other. */
  #ask (): void {
    const [client, server] = this.#sides()
    if (client === undefined || server === undefined) return
    for (const [asked, lane] of [[client, server.lane], [server, client.lane]] as const) {
      if (asked.askedMs !== Infinity) continue
      lane.put(pingFrame(asked === server), () => {
        asked.askedMs = performance.now()
        this.#arm(asked.askedMs)
      })
    }
  }

  #idleMs (): number {
    return this.#parting ? Math.min(partingMs, this.#settings.idleMs) : this.#settings.idleMs
  }

  #idleDueMs (): number {
    return Math.max(...this.#sides().map(({ heardMs }) => heardMs)) + this.#idleMs()
  }

  /** One timer for what comes first. What moves back while it runs is seen when it is over. */
  #arm (now: number): void {
    const due = Math.min(this.#idleDueMs(), this.#pingDueMs, ...this.#sides().map(({ askedMs }) => askedMs + this.#settings.pingTimeoutMs))
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#tick(), Math.min(Math.max(1, due - now), 2 ** 31 - 1))
  }

  /** Last words to both sides: `code` to the one that is to blame, "going away" to the other. */
  #finish (fault: Fault, blamed?: Side, code = 1001): void {
    this.stop()
    this.#x.fault ??= fault
    const [client, server] = this.#sides()
    client?.lane.finish(closeFrame(blamed === server ? code : 1001, true))
    server?.lane.finish(closeFrame(blamed === client ? code : 1001, false))
  }
}

function sideOf (name: Side['name'], lane: Lane, inspected: Inspected | undefined): Side {
  return { name, lane, inspected, heardMs: performance.now(), askedMs: Infinity }
}

/** Nobody listens to it now: its silence is not its own. */
function excuse (side: Side, now: number): void {
  side.heardMs = now
  if (side.askedMs !== Infinity) side.askedMs = now
}
