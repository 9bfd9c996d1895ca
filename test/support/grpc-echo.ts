import { once } from 'node:events'
import type { TestContext } from 'node:test'
import {
  Client, Metadata, Server, ServerCredentials, status, type CallOptions, type ChannelCredentials, type ClientDuplexStream, type ClientReadableStream,
  type ClientUnaryCall, type ClientWritableStream, type ServiceError, type StatusObject,
} from '@grpc/grpc-js'
import { atEnd } from './at-end.ts'

const same = (bytes: Buffer): Buffer => bytes
const method = (name: string, requestStream: boolean, responseStream: boolean) => ({
  path: `/test.Echo/${name}`, requestStream, responseStream, requestSerialize: same, requestDeserialize: same, responseSerialize: same, responseDeserialize: same,
})

/** Messages are bytes: no .proto is needed. */
const service = { unary: method('Unary', false, false), collect: method('Collect', true, false), count: method('Count', false, true), talk: method('Talk', true, true) }

export interface GrpcEcho {
  readonly port: number
  /** Calls that their clients gave up. */
  readonly cancelled: string[]
  /** What `grpc-timeout` and other metadata said, of the last unary call. */
  readonly heard: Record<string, string>
}

/** Unary: the message, or the status that it names ("fail 7 text"). Collect: how many bytes came. Count: so many messages. Talk: each message back. */
export async function grpcEcho (t: TestContext, credentials = ServerCredentials.createInsecure()): Promise<GrpcEcho> {
  const server = new Server({ 'grpc.max_receive_message_length': 64 << 20 })
  const cancelled: string[] = []
  const heard: Record<string, string> = {}
  server.addService(service, {
    unary (call: { request: Buffer, metadata: Metadata, getDeadline (): Date | number, on (event: string, listener: () => void): void }, reply: (error: unknown, bytes?: Buffer, trailers?: Metadata) => void) {
      const text = call.request.toString('latin1', 0, 40)
      call.on('cancelled', () => cancelled.push('unary'))
      Object.assign(heard, { deadline: String(Number(call.getDeadline())), mark: String(call.metadata.get('x-mark')[0]) })
      const trailers = new Metadata()
      trailers.set('x-behind', 'yes')
      trailers.set('x-bytes-bin', Buffer.from([0, 255, 1]))
      if (text.startsWith('fail ')) return reply({ code: Number(text.split(' ')[1]), details: `because ${text}`, metadata: trailers })
      if (text !== 'wait') reply(null, call.request, trailers)
    },
    collect (call: AsyncIterable<Buffer>, reply: (error: unknown, bytes: Buffer) => void) {
      void (async () => {
        let bytes = 0
        for await (const message of call) bytes += message.length
        reply(null, Buffer.from(String(bytes)))
      })()
    },
    count (call: { request: Buffer, write (bytes: Buffer): void, end (): void }) {
      const [count = 0, size = 1] = call.request.toString().split(' ').map(Number)
      for (let i = 0; i < count; i++) call.write(Buffer.alloc(size, String(i % 10)))
      call.end()
    },
    talk (call: { on (event: string, listener: (bytes: Buffer) => void): void, write (bytes: Buffer): void, end (): void }) {
      call.on('data', (bytes) => call.write(bytes))
      call.on('end', () => call.end())
      call.on('cancelled', () => cancelled.push('talk'))
    },
  } as unknown as Parameters<Server['addService']>[1]) // Typed by hand above: grpc-js wants one type for all calls.
  const port = await new Promise<number>((resolve, reject) => server.bindAsync('127.0.0.1:0', credentials, (error, bound) => error === null ? resolve(bound) : reject(error)))
  t.after(() => server.forceShutdown())
  return { port, cancelled, heard }
}

export interface Called {
  readonly message: string
  readonly trailers: Metadata
}

export interface GrpcCaller {
  readonly client: Client
  unary (text: string | Buffer, metadata?: Metadata, options?: CallOptions): Promise<Called>
  call (text: string, metadata: Metadata, options: CallOptions, done: (error: ServiceError | null, bytes?: Buffer) => void): ClientUnaryCall
  collect (messages: readonly Buffer[]): Promise<string>
  count (text: string): Promise<{ sizes: number[], status: StatusObject }>
  talk (options?: CallOptions): ClientDuplexStream<Buffer, Buffer>
}

export function grpcCaller (t: TestContext, port: number, credentials: ChannelCredentials, options: object = {}): GrpcCaller {
  const client = new Client(`localhost:${port}`, credentials, { 'grpc.max_receive_message_length': 64 << 20, ...options })
  atEnd(t, () => client.close())
  const { unary, collect, count, talk } = service
  return {
    client,
    unary: (text, metadata = new Metadata(), callOptions = {}) => new Promise((resolve, reject) => {
      let message = ''
      const call = client.makeUnaryRequest(unary.path, same, same, Buffer.from(text), metadata, callOptions, (error: ServiceError | null, bytes?: Buffer) => {
        if (error !== null) reject(error)
        else message = bytes!.toString('latin1')
      })
      call.on('status', ({ code, metadata: trailers }) => { if (code === status.OK) resolve({ message, trailers }) })
    }),
    call: (text, metadata, callOptions, done) => client.makeUnaryRequest(unary.path, same, same, Buffer.from(text), metadata, callOptions, done),
    collect: (messages) => new Promise((resolve, reject) => {
      const call: ClientWritableStream<Buffer> = client.makeClientStreamRequest(collect.path, same, same, (error, bytes?: Buffer) => error === null ? resolve(String(bytes)) : reject(error))
      void (async () => {
        for (const message of messages) if (!call.write(message)) await once(call, 'drain')
        call.end()
      })()
    }),
    count: async (text) => {
      const call: ClientReadableStream<Buffer> = client.makeServerStreamRequest(count.path, same, same, Buffer.from(text))
      const told = once(call, 'status') as Promise<[StatusObject]>
      const sizes: number[] = []
      for await (const message of call) sizes.push((message as Buffer).length)
      return { sizes, status: (await told)[0] }
    },
    talk: (callOptions = {}) => client.makeBidiStreamRequest(talk.path, same, same, callOptions),
  }
}
