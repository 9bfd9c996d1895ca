import { defineAgent, serve } from 'sentinel/sdk'

// Costs as little as an agent can: what is left is the price of asking.
await serve(defineAgent({
  name: 'allow',
  onRequest () {}
}))
