/** The scripts are run by the shells they are for, with `vw` standing in as a function that knows two workspaces. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { standIn, workspace } from '../testing/ledger.js';
import { vw } from '../testing/terminal.js';

const execute = promisify(execFile);

describe('completion', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'vw-completion-'));
    await writeFile(join(folder, 'completion.bash'), (await vw({}, 'completion', 'bash')).out);
  });
  afterAll(() => rm(folder, { recursive: true }));

  /** What bash offers for the last of these words. */
  async function offered(...words: string[]): Promise<string[]> {
    const script = `
      vw() { [[ $1 == __names ]] && printf '%s\\n' blast 'my space' '$(touch ${folder}/expanded)'; }
      source ${folder}/completion.bash
      complete -p vw >/dev/null || exit 9
      COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
      _vw
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { stdout, stderr } = await execute('bash', ['-c', script, 'bash', 'vw', ...words]);
    expect(stderr).toBe('');
    return stdout.split('\n').filter((line) => line !== '');
  }

  it('offers commands, their options and choices', async () => {
    expect(await offered('de')).toEqual(['deploy']);
    expect(await offered('un')).toEqual(['unpause', 'undeploy']);
    expect(await offered('store', 'ex')).toEqual(['export']);
    expect(await offered('deploy', 'w1', '--')).toEqual(['--wait', '--deadline', '--host', '--image', '--help']);
    expect(await offered('--url', 'http://deploy', 'completion', 'b')).toEqual(['bash']);
    expect(await offered('images', 'a')).toEqual(['add']);
    expect(await offered('')).toContain('create');
    expect(await offered('')).not.toContain('__names');
  });

  it('offers workspaces where one is meant, quoted, and expands nothing of their names', async () => {
    expect(await offered('deploy', 'b')).toEqual(['blast']);
    expect(await offered('deploy', 'my')).toEqual(['my\\ space']);
    expect(await offered('deploy', '$')).toEqual([expect.stringMatching(/^\\\$\\\(touch/)]);
    expect(existsSync(join(folder, 'expanded'))).toBe(false);
    expect(await offered('ls', 'b')).toEqual([]);
  });

  it('asks the ledger for active workspaces, and says nothing where there is none', async () => {
    await using ledger = await standIn();
    ledger.workspaces = [
      workspace(),
      workspace({ workspaceId: 'w2', definition: 'retired' }),
      workspace({ workspaceId: 'w3' }),
    ];
    expect((await vw({ url: ledger.url }, '__names')).out).toBe('blast\nw1\nw3\n');
  });

  it('has a script for zsh, and for no shell it does not know', async () => {
    expect((await vw({}, 'completion', 'zsh')).out).toMatch(/^#compdef vw\n/);
    expect(await vw({}, 'completion', 'fish')).toMatchObject({ code: 2, out: '' });
  });
});
