// Does in every phase what the request's `x-script` header says of it, with whole bodies and with pieces, whichever it is given.
import { defineAgent, pass, serve, type ChunkAnswer, type Context, type Decision } from 'sentinel/sdk'
import { perform, scriptOf, type Step } from './perform.ts'

type Said = Pick<Context<unknown, unknown>, 'moreTime' | 'signal' | 'log' | 'memory'>

/** The first piece is decided about, the others pass. */
async function onPiece (name: string, step: Step | undefined, context: Said): Promise<Decision | ChunkAnswer> {
  if (context.memory.has(name)) return pass()
  context.memory.set(name, true)
  return await perform(step, context) ?? pass()
}

await serve(defineAgent({
  name: 'decides',
  onRequest: (request, context) => perform(scriptOf(request).request, context),
  onRequestBody: (_body, request, context) => perform(scriptOf(request).requestBody, context),
  onRequestChunk: (_chunk, request, context) => onPiece('request', scriptOf(request).requestBody, context),
  onResponse: (_response, request, context) => perform(scriptOf(request).response, context),
  onResponseBody: (_body, _response, request, context) => perform(scriptOf(request).responseBody, context),
  onResponseChunk: (_chunk, _response, request, context) => onPiece('response', scriptOf(request).responseBody, context),
}))
