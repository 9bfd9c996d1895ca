// Takes bodies whole and in pieces, and says of the whole ones that they were.
import { allow, defineAgent, pass, serve } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'both-ways',
  requestBody: 'stream',
  responseBody: 'stream',
  onRequestBody: () => allow({ responseHeaders: { 'x-request-shown': 'whole' } }),
  onRequestChunk: () => pass(),
  onResponseBody: () => allow({ responseHeaders: { 'x-response-shown': 'whole' } }),
  onResponseChunk: () => pass(),
}))
