// Sees every chunk of both bodies and passes it on.
import { defineAgent, pass, serve } from 'sentinel/sdk'

await serve(defineAgent({
  name: 'flowing',
  onRequestChunk: () => pass(),
  onResponseChunk: () => pass(),
}))
