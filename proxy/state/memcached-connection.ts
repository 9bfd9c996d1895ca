import { connect, type Socket } from 'node:net'
import type { StoreAddress } from '../../config/sentinel/index.ts'

/** A value, and what it must still be known by to be replaced. */
export interface Stored {
  readonly value: string
  readonly unique: string
}

interface Pending {
  readonly askedMs: number
  /** Throws when the lines make no sense. */
  readonly answer: (lines: readonly string[]) => void
  readonly reject: (error: Error) => void
}

/** An answer is a few hundred bytes. */
const mostBytes = 64 * 1024
/** A server that says nothing for so long is left for another connection. */
const silentMs = 5_000
const leastPauseMs = 50
const mostPauseMs = 1_000

/**
 * One connection to memcached (its text protocol), made when it is needed and made anew after a pause when it broke. Questions are sent as they come and
 * answered in their order.
 */
export class MemcachedConnection {
  readonly #host: StoreAddress['hosts'][number]
  readonly #pending: Pending[] = []
  #socket: Socket | undefined
  #text = ''
  #failures = 0
  #pauseUntilMs = 0

  constructor (host: StoreAddress['hosts'][number]) {
    this.#host = host
  }

  get asking (): number {
    return this.#pending.length
  }

  read (key: string): Promise<Stored | undefined> {
    return this.#ask(`gets ${key}\r\n`, ([line = '', value]) => {
      if (line === 'END') return undefined
      const [, unique] = /^VALUE \S+ \d+ \d+ (\d+)$/.exec(line) ?? []
      if (unique === undefined || value === undefined) throw new Error(`memcached says ${line.slice(0, 60)}`)
      return { value, unique }
    })
  }

  /** Writes when nobody else has since `before` was read. */
  write (key: string, value: string, seconds: number, before: Stored | undefined): Promise<boolean> {
    const command = before === undefined ? `add ${key} 0 ${seconds} ${value.length}` : `cas ${key} 0 ${seconds} ${value.length} ${before.unique}`
    return this.#ask(`${command}\r\n${value}\r\n`, ([line = '']) => {
      if (!['STORED', 'NOT_STORED', 'EXISTS', 'NOT_FOUND'].includes(line)) throw new Error(`memcached says ${line.slice(0, 60)}`)
      return line === 'STORED'
    })
  }

  close (): void {
    this.#socket?.destroy()
  }

  #ask<T> (command: string, understand: (lines: readonly string[]) => T): Promise<T> {
    return new Promise((resolve, reject) => {
      const nowMs = performance.now()
      if (this.#pending[0] !== undefined && nowMs - this.#pending[0].askedMs > silentMs) this.#broke(new Error('memcached does not answer'))
      if (this.#socket === undefined && nowMs < this.#pauseUntilMs) return reject(new Error('memcached is not connected'))
      this.#pending.push({ askedMs: nowMs, answer: (lines) => resolve(understand(lines)), reject })
      this.#socket ??= this.#connect()
      this.#socket.write(command)
    })
  }

  #connect (): Socket {
    const socket = connect({ ...this.#host, noDelay: true })
    const broke = (error: Error): void => {
      if (socket === this.#socket) this.#broke(error)
    }
    socket.setEncoding('latin1')
    socket.on('data', (text: string) => {
      if (socket === this.#socket) this.#heard(text)
    })
    socket.on('error', broke)
    socket.on('close', () => broke(new Error('memcached closed the connection')))
    // It keeps no process alive.
    socket.unref()
    return socket
  }

  #heard (text: string): void {
    this.#text += text
    this.#failures = 0
    try {
      while (this.#pending.length > 0 && this.#text !== '') if (!this.#settle(this.#pending[0]!)) break
      if (this.#pending.length === 0 && this.#text !== '') throw new Error('memcached says what nobody asked')
      if (this.#text.length > mostBytes) throw new Error('memcached says too much')
    } catch (error) {
      this.#broke(error instanceof Error ? error : new Error('unknown'))
    }
  }

  /** Takes the answer of the oldest question, when all of it is here. */
  #settle (oldest: Pending): boolean {
    const count = this.#text.startsWith('VALUE ') ? 3 : 1
    const lines: string[] = []
    let from = 0
    while (lines.length < count) {
      const end = this.#text.indexOf('\r\n', from)
      if (end === -1) return false
      lines.push(this.#text.slice(from, end))
      from = end + 2
    }
    oldest.answer(lines)
    this.#pending.shift()
    this.#text = this.#text.slice(from)
    return true
  }

  #broke (error: Error): void {
    const socket = this.#socket
    this.#socket = undefined
    this.#text = ''
    this.#pauseUntilMs = performance.now() + Math.min(mostPauseMs, leastPauseMs * 2 ** Math.min(this.#failures++, 8)) * (0.5 + Math.random() / 2)
    socket?.destroy()
    for (const { reject } of this.#pending.splice(0)) reject(error)
  }
}
