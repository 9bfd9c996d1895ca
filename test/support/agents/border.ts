// Looks for a word in bodies that come in pieces: keeps back as much as could be its beginning, whatever borders the pieces have.
import { block, defineAgent, passButTail, serve, type Chunk, type ChunkAnswer, type Context, type Decision } from 'sentinel/sdk'

const word = 'forbidden'

function look (name: string, { bytes }: Chunk, context: Pick<Context<unknown, unknown>, 'memory' | 'log'>): ChunkAnswer | Decision {
  const seen = `${(context.memory.get(name) as string | undefined) ?? ''}${Buffer.from(bytes).toString('latin1')}`
  context.log.info({ piece: Buffer.from(bytes).toString('latin1') }, 'piece')
  if (seen.includes(word)) return block(422)
  context.memory.set(name, seen.slice(-(word.length - 1)))
  return passButTail(word.length - 1)
}

await serve(defineAgent({
  name: 'border',
  onRequestChunk: (chunk, _request, context) => look('request', chunk, context),
  onResponseChunk: (chunk, _response, _request, context) => look('response', chunk, context),
}))
