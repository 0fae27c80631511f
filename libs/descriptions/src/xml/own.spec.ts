import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import type { WorkspaceDescription } from '@vw/domain';
import { packageRoot } from '@vw/runtime';
import { descriptionSchema, descriptionToXml, parseDescription } from '../index.js';

/** Text with everything XML is known to change on its way: markup, line ends, blanks at the ends, other scripts. */
const text = fc
  .array(fc.constantFrom(...'<>&"\'];#\r\n\t abé😀', ']]>', '&#13;', '&lt;', '<!--', '\u0085', '\u2028'), {
    maxLength: 8,
  })
  .map((parts) => parts.join(''));
const name = text.map((some) => `x${some.replace(/[\r\n\t]/g, '')}`);
const count = fc.nat({ max: 1_000_000 });
const range = fc.record({ min: count, max: count.map((extra) => 1_000_000 + extra) }, { requiredKeys: ['min'] });
const identities = fc.array(fc.dictionary(text, text, { maxKeys: 2 }), { maxLength: 2 });

const descriptions: fc.Arbitrary<WorkspaceDescription> = fc.record(
  {
    category: fc.constantFrom('virtual-machine', 'dynamic-account'),
    name,
    requirements: fc.record(
      {
        architecture: text,
        vmm: fc.record(
          {
            type: fc.constantFrom('any', 'v86', 'qemu', 'xen', 'vmware', 'simulated'),
            versions: fc.array(text, { maxLength: 2 }),
          },
          { requiredKeys: ['type'] },
        ),
        memoryMiB: range,
        diskMiB: range,
        cpus: range,
        kernel: fc.record({ minVersion: text, maxVersion: text, parameters: text }, { requiredKeys: [] }),
        devices: fc.array(fc.record({ kind: fc.constantFrom('serial', 'cdrom', 'usb', 'gpu', 'other'), name }), {
          maxLength: 2,
        }),
        software: fc.array(fc.record({ name, version: text }, { requiredKeys: ['name'] }), { maxLength: 2 }),
      },
      { requiredKeys: [] },
    ),
    capabilities: fc.array(fc.constantFrom('pause', 'hot-image', 'disk', 'adopt', 'serial-console'), { maxLength: 3 }),
    disks: fc.uniqueArray(
      fc.record(
        {
          role: fc.constantFrom('partition', 'ram', 'swap'),
          location: text,
          name: text,
          mountAs: text,
          readOnly: fc.boolean(),
          sizeMiB: count.map((size) => size + 1),
        },
        { requiredKeys: ['role', 'location', 'name', 'mountAs'] },
      ),
      { maxLength: 3, comparator: (one, other) => one.name === other.name || one.mountAs === other.mountAs },
    ),
    network: fc.record({
      nics: fc.uniqueArray(
        fc.record(
          {
            name,
            association: text,
            acquisition: fc.constantFrom('allocate', 'accept', 'advisory'),
            mac: fc.constant('52:54:00:a0:b1:07'),
            hostname: text,
            address: text,
            netmask: text,
            gateway: text,
            broadcast: text,
            network: text,
          },
          { requiredKeys: ['name', 'acquisition'] },
        ),
        { maxLength: 2, selector: (nic) => nic.name },
      ),
    }),
    contextualization: fc.record(
      {
        provides: fc.record({
          identities,
          roles: fc.array(fc.record({ name: text, interface: text }, { requiredKeys: ['name'] }), { maxLength: 2 }),
        }),
        requires: fc.record({
          identities,
          roles: fc.array(
            fc.record(
              { name: text, value: text, hostname: fc.boolean(), pubkey: fc.boolean() },
              { requiredKeys: ['name'] },
            ),
            {
              maxLength: 2,
            },
          ),
          data: fc.array(fc.record({ name: text, value: text }), { maxLength: 2 }),
        }),
      },
      { requiredKeys: [] },
    ),
    lifetime: fc.record({ seconds: count.map((seconds) => seconds + 1) }),
  },
  { requiredKeys: ['category', 'name', 'requirements', 'disks', 'network'], noNullPrototype: true },
);

it('reads back whatever it wrote', () => {
  fc.assert(
    fc.property(descriptions, (description) => {
      const plain = JSON.parse(JSON.stringify(description)) as WorkspaceDescription;
      const back = parseDescription(descriptionToXml(plain));
      expect(back.ok ? back.description : back.problems).toEqual(plain);
    }),
    { numRuns: 300 },
  );
});

it('knows in its schema the words that the JSON Schema knows', () => {
  const xsd = readFileSync(join(packageRoot(), 'schemas', 'xsd', 'workspace-description.xsd'), 'utf8');
  const inXsd = [...xsd.matchAll(/<xs:enumeration value="([^"]+)"/g)].map((match) => match[1]);
  const inSchema = [...JSON.stringify(descriptionSchema).matchAll(/"enum":(\[[^\]]*\])/g)].flatMap(
    (match) => JSON.parse(match[1]!) as string[],
  );
  expect(new Set(inXsd)).toEqual(new Set(inSchema));
});
