/**
 * A very small assembler for 32-bit x86: enough to write the heartbeat guest in this repository instead of committing a binary.
 *
 * One method is one instruction in one encoding (Intel SDM, volume 2); the method's comment gives the opcode in the manual's notation.
 * Branches are always the 32-bit relative form, so an instruction's length never depends on where its target lies, and one pass with
 * fix-ups at the end is enough. What must stay true: the same calls give the same bytes.
 */

/** General registers by their number in the encoding; the same number names eax, ax and (below four) al. */
export const Register = { eax: 0, ecx: 1, edx: 2, ebx: 3, esp: 4, ebp: 5, esi: 6, edi: 7 } as const;
export type Register = (typeof Register)[keyof typeof Register];

/** Segment registers by their number in the encoding. */
export const Segment = { es: 0, ss: 2, ds: 3 } as const;
export type Segment = (typeof Segment)[keyof typeof Segment];

/** Conditions by the low four bits of `0F 8x`. */
const Condition = { below: 2, equal: 4, notEqual: 5, above: 7 } as const;
type Condition = (typeof Condition)[keyof typeof Condition];

/** A number known now, or the address of a label known at the end. */
export type Value = number | { readonly label: string };

/** How a label's address enters the bytes: whole, as a distance from the next instruction, or split in two halves (interrupt gates). */
type FixUp = {
  readonly at: number;
  readonly label: string;
  readonly form: 'absolute' | 'relative' | 'low-half' | 'high-half';
};

export class Assembler {
  readonly #bytes: number[] = [];
  readonly #labels = new Map<string, number>();
  readonly #fixUps: FixUp[] = [];

  /** @param origin the address at which the first byte will lie in the guest's memory */
  constructor(private readonly origin: number) {}

  /** The bytes, with every label's address in its place. @throws Error for a label that is used and nowhere defined */
  assemble(): Uint8Array {
    const image = Uint8Array.from(this.#bytes);
    const view = new DataView(image.buffer);
    for (const { at, label, form } of this.#fixUps) {
      const address = this.#labels.get(label);
      if (address === undefined) throw new Error(`the label ${label} is used and nowhere defined`);
      switch (form) {
        case 'absolute':
          view.setUint32(at, address, true);
          break;
        case 'relative':
          view.setInt32(at, address - (this.origin + at + 4), true);
          break;
        case 'low-half':
          view.setUint16(at, address & 0xffff, true);
          break;
        case 'high-half':
          view.setUint16(at, address >>> 16, true);
          break;
      }
    }
    return image;
  }

  // Labels and data

  /** Names the address of what follows. */
  label(name: string): void {
    this.labelAt(name, this.origin + this.#bytes.length);
  }

  /** Names an address that holds none of the image's bytes, as the stack's. */
  labelAt(name: string, address: number): void {
    if (this.#labels.has(name)) throw new Error(`the label ${name} is defined twice`);
    this.#labels.set(name, address);
  }

  data8(...bytes: readonly number[]): void {
    for (const byte of bytes) this.#bytes.push(byte & 0xff);
  }

  data16(value: number): void {
    this.data8(value, value >>> 8);
  }

  data32(value: Value): void {
    if (typeof value === 'number') this.data8(value, value >>> 8, value >>> 16, value >>> 24);
    else this.#fixUp(value.label, 'absolute', 4);
  }

  /** ASCII text with a closing zero byte. */
  text(value: string): void {
    this.data8(...Buffer.from(value, 'ascii'), 0);
  }

  align(boundary: number): void {
    while ((this.origin + this.#bytes.length) % boundary !== 0) this.data8(0);
  }

  /** A 32-bit interrupt gate, present, privilege 0 (SDM volume 3, 6.11). */
  interruptGate(selector: number, handler: string): void {
    this.#fixUp(handler, 'low-half', 2);
    this.data16(selector);
    this.data16(0x8e00);
    this.#fixUp(handler, 'high-half', 2);
  }

  // Moves

  /** B8+rd id */
  movImmediate(to: Register, value: Value): void {
    this.data8(0xb8 + to);
    this.data32(value);
  }

  /** B0+rb ib, for al, cl, dl, bl */
  movImmediate8(to: Register, value: number): void {
    this.data8(0xb0 + to, value);
  }

  /** 89 /r */
  mov(to: Register, from: Register): void {
    this.data8(0x89, registers(from, to));
  }

  /** 8B /r with a 32-bit address */
  load(to: Register, address: string): void {
    this.data8(0x8b, atAddress(to));
    this.data32({ label: address });
  }

  /** 8B /r with a register and an 8-bit displacement */
  loadFrom(to: Register, base: Register, displacement: number): void {
    this.data8(0x8b, atRegister(to, base), displacement);
  }

  /** 89 /r with a 32-bit address */
  store(address: string, from: Register): void {
    this.data8(0x89, atAddress(from));
    this.data32({ label: address });
  }

  /** 0F B6 /r with a register and an 8-bit displacement: one byte, widened by zeros */
  loadByteFrom(to: Register, base: Register, displacement: number): void {
    this.data8(0x0f, 0xb6, atRegister(to, base), displacement);
  }

  /** 8E /r */
  movSegment(to: Segment, from: Register): void {
    this.data8(0x8e, registers(to, from));
  }

  /** 50+rd */
  push(from: Register): void {
    this.data8(0x50 + from);
  }

  /** 58+rd */
  pop(to: Register): void {
    this.data8(0x58 + to);
  }

  // Arithmetic and comparison

  /** 81 /0 id */
  add(to: Register, value: number): void {
    this.data8(0x81, registers(0, to));
    this.data32(value);
  }

  /** 01 /r */
  addRegister(to: Register, from: Register): void {
    this.data8(0x01, registers(from, to));
  }

  /** 81 /5 id */
  sub(to: Register, value: number): void {
    this.data8(0x81, registers(5, to));
    this.data32(value);
  }

  /** 09 /r */
  orRegister(to: Register, from: Register): void {
    this.data8(0x09, registers(from, to));
  }

  /** 31 /r of a register with itself */
  clear(register: Register): void {
    this.data8(0x31, registers(register, register));
  }

  /** 69 /r id */
  multiply(to: Register, value: number): void {
    this.data8(0x69, registers(to, to));
    this.data32(value);
  }

  /** F7 /6: edx:eax by the register; quotient in eax, remainder in edx */
  divide(by: Register): void {
    this.data8(0xf7, registers(6, by));
  }

  /** 40+rd */
  increment(register: Register): void {
    this.data8(0x40 + register);
  }

  /** 48+rd */
  decrement(register: Register): void {
    this.data8(0x48 + register);
  }

  /** FF /0 with a 32-bit address */
  incrementAt(address: string): void {
    this.data8(0xff, atAddress(0));
    this.data32({ label: address });
  }

  /** 81 /5 id with a 32-bit address */
  subAt(address: string, value: number): void {
    this.data8(0x81, atAddress(5));
    this.data32({ label: address });
    this.data32(value);
  }

  /** 81 /7 id */
  compare(register: Register, value: number): void {
    this.data8(0x81, registers(7, register));
    this.data32(value);
  }

  /** 39 /r */
  compareRegisters(left: Register, right: Register): void {
    this.data8(0x39, registers(right, left));
  }

  /** 3B /r with a 32-bit address */
  compareWith(register: Register, address: string): void {
    this.data8(0x3b, atAddress(register));
    this.data32({ label: address });
  }

  /** 81 /7 id with a 32-bit address */
  compareAt(address: string, value: number): void {
    this.data8(0x81, atAddress(7));
    this.data32({ label: address });
    this.data32(value);
  }

  /** F7 /0 id */
  testBits(register: Register, mask: number): void {
    this.data8(0xf7, registers(0, register));
    this.data32(mask);
  }

  // Flow

  /** E9 cd */
  jump(target: string): void {
    this.data8(0xe9);
    this.#fixUp(target, 'relative', 4);
  }

  /** 0F 82 cd */
  jumpIfBelow(target: string): void {
    this.#jumpIf(Condition.below, target);
  }

  /** 0F 84 cd */
  jumpIfEqual(target: string): void {
    this.#jumpIf(Condition.equal, target);
  }

  /** 0F 85 cd */
  jumpIfNotEqual(target: string): void {
    this.#jumpIf(Condition.notEqual, target);
  }

  /** 0F 87 cd */
  jumpIfAbove(target: string): void {
    this.#jumpIf(Condition.above, target);
  }

  /** EA cp: sets the code segment as well */
  jumpFar(selector: number, target: string): void {
    this.data8(0xea);
    this.#fixUp(target, 'absolute', 4);
    this.data16(selector);
  }

  /** E8 cd */
  call(target: string): void {
    this.data8(0xe8);
    this.#fixUp(target, 'relative', 4);
  }

  /** C3 */
  return(): void {
    this.data8(0xc3);
  }

  /** CF */
  returnFromInterrupt(): void {
    this.data8(0xcf);
  }

  // The machine

  /** 0F 01 /2 */
  loadGdt(address: string): void {
    this.data8(0x0f, 0x01, atAddress(2));
    this.data32({ label: address });
  }

  /** 0F 01 /3 */
  loadIdt(address: string): void {
    this.data8(0x0f, 0x01, atAddress(3));
    this.data32({ label: address });
  }

  /** E6 ib: al to a fixed port */
  outTo(port: number): void {
    this.data8(0xe6, port);
  }

  /** EE: al to the port in dx */
  out8(): void {
    this.data8(0xee);
  }

  /** 66 EF: ax to the port in dx */
  out16(): void {
    this.data8(0x66, 0xef);
  }

  /** EF: eax to the port in dx */
  out32(): void {
    this.data8(0xef);
  }

  /** EC: al from the port in dx */
  in8(): void {
    this.data8(0xec);
  }

  /** 66 ED: ax from the port in dx */
  in16(): void {
    this.data8(0x66, 0xed);
  }

  /** ED: eax from the port in dx */
  in32(): void {
    this.data8(0xed);
  }

  /** FA */
  disableInterrupts(): void {
    this.data8(0xfa);
  }

  /** FB */
  enableInterrupts(): void {
    this.data8(0xfb);
  }

  /** F4 */
  halt(): void {
    this.data8(0xf4);
  }

  #jumpIf(condition: Condition, target: string): void {
    this.data8(0x0f, 0x80 + condition);
    this.#fixUp(target, 'relative', 4);
  }

  #fixUp(label: string, form: FixUp['form'], length: 2 | 4): void {
    this.#fixUps.push({ at: this.#bytes.length, label, form });
    for (let i = 0; i < length; i += 1) this.#bytes.push(0);
  }
}

/** ModR/M for two registers. */
function registers(reg: number, rm: number): number {
  return 0xc0 | (reg << 3) | rm;
}

/** ModR/M for a 32-bit address without a base. */
function atAddress(reg: number): number {
  return (reg << 3) | 5;
}

/** ModR/M for a base register and an 8-bit displacement; esp would need a SIB byte and is not taken. */
function atRegister(reg: number, base: Register): number {
  if (base === Register.esp) throw new Error('esp cannot be a base here: its encoding needs a SIB byte');
  return 0x40 | (reg << 3) | base;
}
