import { defineAgent, pass, serve } from 'sentinel/sdk'

// Sees a body piece by piece and passes every one.
await serve(defineAgent({
  name: 'pass',
  onRequestChunk: () => pass()
}))
