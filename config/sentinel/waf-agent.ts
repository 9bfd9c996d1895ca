/** What the agent of the `waf` block is called, and its type. */
export const wafAgent = 'waf'
