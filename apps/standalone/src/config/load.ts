/** Reads the settings: the environment first, then `vw.yaml`, then what is so without being told. Everything is judged before anything is done. */
import { existsSync, readFileSync } from 'node:fs';
import { isMap, isScalar, parseDocument } from 'yaml';
import { contradictions, type Settings, type SettingTable } from './settings.js';

export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

interface Source {
  /** How the value is called where it was found. */
  readonly named: string;
  readonly text: string;
}

/** @throws ConfigurationError naming each wrong key, what it was, and what was expected */
export function loadSettings(table: SettingTable, environment: NodeJS.ProcessEnv): Settings {
  const file = environment.VW_CONFIG ?? 'vw.yaml';
  if (environment.VW_CONFIG !== undefined && !existsSync(file))
    throw new ConfigurationError(`VW_CONFIG: there is no file ${file}`);
  const inFile = existsSync(file) ? readYaml(file, table) : new Map<string, Source>();
  const faults: string[] = [...unknownVariables(table, environment)];
  const settings: Record<string, unknown> = {};
  for (const [name, setting] of Object.entries(table)) {
    const { variable, key, fallback, secret } = setting;
    const text = environment[variable];
    const source =
      text === undefined ? (inFile.get(key) ?? { named: variable, text: fallback }) : { named: variable, text };
    const read = setting.read(source.text);
    if (read.ok) settings[name] = read.value;
    else {
      // Whoever mistypes a connection string has typed its password, and this goes to a log.
      const found = secret ? 'not understood' : JSON.stringify(source.text);
      faults.push(`${source.named} is ${found}, expected ${read.expected}`);
    }
  }
  if (faults.length === 0) faults.push(...contradictions(settings as unknown as Settings));
  if (faults.length > 0) throw new ConfigurationError(faults.join('\n'));
  return settings as unknown as Settings;
}

/** Variables of ours that nothing here reads: the client's and the tests' aside, a misspelt one would otherwise do nothing, silently. */
function unknownVariables(table: SettingTable, environment: NodeJS.ProcessEnv): string[] {
  const known = new Set([...Object.values(table).map(({ variable }) => variable), 'VW_CONFIG', 'VW_URL', 'VW_SUBJECT']);
  return Object.keys(environment)
    .filter((name) => name.startsWith('VW_') && !name.startsWith('VW_TEST_') && !known.has(name))
    .map((name) => `${name} is no setting of this program; there are ${[...known].join(', ')}`);
}

function readYaml(file: string, table: SettingTable): Map<string, Source> {
  const document = parseDocument(readFileSync(file, 'utf8'), { maxAliasCount: 0 } as object);
  const [fault] = document.errors;
  if (fault !== undefined) throw new ConfigurationError(`${file}: ${fault.message.split('\n')[0]}`);
  const values = new Map<string, Source>();
  if (document.contents === null) return values;
  if (!isMap(document.contents)) throw new ConfigurationError(`${file}: expected keys and values`);
  const keys = new Set(Object.values(table).map(({ key }) => key));
  for (const { key, value } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : '';
    if (!keys.has(name))
      throw new ConfigurationError(`${file}: ${name} is no setting; there are ${[...keys].join(', ')}`);
    if (!isScalar(value) || value.value === null)
      throw new ConfigurationError(`${file}: ${name} expects a single value`);
    values.set(name, { named: `${file}: ${name}`, text: value.toString() });
  }
  return values;
}
