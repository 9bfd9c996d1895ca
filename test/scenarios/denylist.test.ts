import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startRecordingUpstream } from '../support/recording-upstream.ts'
import { siteWith } from '../support/scripted-agent.ts'
import { startSentinel } from '../support/sentinel.ts'

const agent = `agent "denylist" type="denylist" {
  timeout "60s"
  config {
    block-ips "192.0.2.7" "198.51.100.0/24" "2001:db8:bad::/48" "2001:db8::99"
    block-paths "/wp-login.php" "/.git/*" "/\\\\.(bak|old)$/"
    block-user-agents "EvilScanner" "/^curl\\\\/7\\\\./"
    block-message "Go away"
  }
}`

/** The proxy in front of ours is trusted, so that a test can come from any address. */
const site = (port: number): string => siteWith(port, agent, ['denylist'])
  .replace('address "127.0.0.1:0" }', 'address "127.0.0.1:0"; trusted-proxies "127.0.0.0/8" }')

test('the denylist answers on exact addresses, ranges, paths and user agents, and on nothing else', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site(upstream.port))
  const from = (address: string) => ({ headers: { 'x-forwarded-for': address } })
  const expect = async (status: number, path: string, headers: Record<string, string>): Promise<void> => {
    const answer = await sentinel.request(path, { headers })
    assert.equal(answer.status, status, `${path} ${JSON.stringify(headers)}`)
    if (status === 403) assert.equal(answer.text, 'Go away')
  }
  for (const address of ['192.0.2.7', '198.51.100.1', '198.51.100.255', '2001:db8:bad:1::1', '2001:db8::99', '2001:0DB8:0:0::0099', '::ffff:192.0.2.7']) {
    await expect(403, '/', from(address).headers)
  }
  for (const address of ['192.0.2.8', '198.51.101.1', '2001:db8:bae::1', '2001:db8::98', '::ffff:192.0.2.8']) await expect(200, '/', from(address).headers)
  for (const path of ['/wp-login.php', '/.git/config', '/x.bak', '/a/../.git/HEAD', '/%2egit/config', '//wp-login.php', '/wp-login%2Ephp?x=1']) await expect(403, path, {})
  for (const path of ['/wp-login.php5', '/git/config', '/x.bak/y', '/?p=/.git/config']) await expect(200, path, {})
  for (const agentName of ['EvilScanner/2', 'mozilla evilscanner', 'curl/7.88.1']) await expect(403, '/', { 'user-agent': agentName })
  for (const agentName of ['Mozilla/5.0', 'curl/8.0']) await expect(200, '/', { 'user-agent': agentName })
})

test('an emptied list is empty after a reload', async (t) => {
  const upstream = await startRecordingUpstream(t)
  const sentinel = await startSentinel(t, site(upstream.port))
  assert.equal((await sentinel.get('/wp-login.php')).status, 403)
  const outcome = await sentinel.reload(site(upstream.port).replace(/block-paths.*/, ''))
  assert.equal(outcome.event, 'reloaded', outcome.msg)
  assert.equal((await sentinel.get('/wp-login.php')).status, 200)
})
