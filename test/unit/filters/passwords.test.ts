import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import { readPasswords } from '../../../config/sentinel/index.ts'
import { FailedLogins } from '../../../proxy/filters/failed-logins.ts'
import { Passwords } from '../../../proxy/filters/passwords.ts'
import { rememberedLookup } from '../../../proxy/filters/geo/country-lookup.ts'
import { Fault } from '../../../proxy/pipeline/faults.ts'

/** "open sesame" and "apricot". */
const users = readPasswords('alice:$2b$04$TGgg1ltYJUy2Ln/69z7uPeOzpmajJ/Z5Bk/Asmuq74GTmrF3zEMA.\nbob:$apr1$S.BT9iuI$WGss9sWmMMfOC21rSQT9Z.\n').users

describe('passwords', () => {
  test('what was right is remembered for that user, that password and that hash alone', async (t) => {
    const passwords = new Passwords()
    t.after(() => passwords.close())
    assert.equal(passwords.remembers('alice', 'open sesame', users), false)
    assert.equal(await passwords.check('alice', 'open sesame', users), true)
    assert.equal(passwords.remembers('alice', 'open sesame', users), true)
    assert.equal(passwords.remembers('alice', 'open sesam', users), false)
    assert.equal(passwords.remembers('bob', 'open sesame', users), false)
    assert.equal(passwords.remembers('alice', 'open sesame', new Map([['alice', users.get('bob')!]])), false, 'the password was changed')
    assert.equal(passwords.remembers('alice', 'open sesame', new Map()), false, 'the user is gone')
  })

  test('somebody who is not there is never right, whatever password belongs to the hash that stands in', async (t) => {
    const passwords = new Passwords()
    t.after(() => passwords.close())
    for (const name of ['carol', 'dave', 'erin', 'frank', '__proto__', 'constructor']) {
      for (const password of ['open sesame', 'apricot']) assert.equal(await passwords.check(name, password, users), false, name)
    }
    assert.equal(passwords.remembers('carol', 'open sesame', users), false)
  })

  test('more than 64 that wait are refused; one that many send at a time is checked once', async (t) => {
    const passwords = new Passwords()
    t.after(() => passwords.close())
    const same = Array.from({ length: 200 }, () => passwords.check('alice', 'open sesame', users))
    assert.ok((await Promise.all(same)).every((right) => right))
    const answers = await Promise.allSettled(Array.from({ length: 100 }, (_, i) => passwords.check('alice', `guess ${i}`, users)))
    const refused = answers.filter((answer) => answer.status === 'rejected')
    assert.equal(refused.length, 36)
    assert.ok(refused.every(({ reason }) => reason instanceof Fault && reason.code === 'OVERLOADED'))
    assert.equal(await passwords.check('alice', 'open sesame', users), true, 'it goes on afterwards')
  })
})

describe('wrong passwords of a client', () => {
  test('count in a window of time, those that are being checked among them', () => {
    const failed = new FailedLogins(2, 1000)
    assert.deepEqual([failed.take('a', 0), failed.take('a', 400), failed.take('a', 600), failed.take('b', 600)], [0, 0, 400, 0])
    failed.giveBack('a')
    assert.deepEqual([failed.take('a', 700), failed.take('a', 800), failed.take('a', 1001)], [0, 200, 0])
  })

  test('are remembered of so many clients and no more', () => {
    const failed = new FailedLogins(1, 1000)
    for (let i = 0; i < 20_000; i++) failed.take(`client ${i}`, 0)
    assert.equal(failed.take('client 0', 1), 0, 'forgotten')
    assert.ok(failed.take('client 19999', 1) > 0)
  })
})

test('a database is asked once for each address in a time, and one that fails says nothing', () => {
  let asked = 0
  const countryOf = rememberedLookup({ countryOf: (address) => {
    asked++
    if (address === '192.0.2.9') throw new Error('damaged')
    return 'DE'
  } }, 60_000)
  assert.deepEqual(['192.0.2.1', '192.0.2.1', '::ffff:192.0.2.1', '192.0.2.9'].map(countryOf), ['DE', 'DE', 'DE', undefined])
  assert.equal(asked, 3)
})
