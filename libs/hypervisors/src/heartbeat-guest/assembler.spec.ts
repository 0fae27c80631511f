import { describe, expect, it } from 'vitest';
import { Assembler, Register, Segment } from './assembler.js';

const { eax, ebx, ecx, edx, esi, edi, esp } = Register;

/** Each as a disassembler (GNU objdump 2.40) reads it back. */
const ENCODINGS: readonly [string, string, (asm: Assembler) => void][] = [
  ['mov ebx, 0x12345678', 'bb 78 56 34 12', (asm) => asm.movImmediate(ebx, 0x12345678)],
  ['mov eax, -1', 'b8 ff ff ff ff', (asm) => asm.movImmediate(eax, -1)],
  ['mov al, 0x11', 'b0 11', (asm) => asm.movImmediate8(eax, 0x11)],
  ['mov ecx, esi', '89 f1', (asm) => asm.mov(ecx, esi)],
  ['mov eax, [ebx+16]', '8b 43 10', (asm) => asm.loadFrom(eax, ebx, 16)],
  ['movzx edx, byte [edi+0]', '0f b6 57 00', (asm) => asm.loadByteFrom(edx, edi, 0)],
  ['mov ss, eax', '8e d0', (asm) => asm.movSegment(Segment.ss, eax)],
  ['push edi', '57', (asm) => asm.push(edi)],
  ['pop eax', '58', (asm) => asm.pop(eax)],
  ['add ecx, 4', '81 c1 04 00 00 00', (asm) => asm.add(ecx, 4)],
  ['add ebx, eax', '01 c3', (asm) => asm.addRegister(ebx, eax)],
  ['sub eax, 0x30', '81 e8 30 00 00 00', (asm) => asm.sub(eax, 0x30)],
  ['or eax, ecx', '09 c8', (asm) => asm.orRegister(eax, ecx)],
  ['xor edi, edi', '31 ff', (asm) => asm.clear(edi)],
  ['imul ebx, ebx, 10', '69 db 0a 00 00 00', (asm) => asm.multiply(ebx, 10)],
  ['div ecx', 'f7 f1', (asm) => asm.divide(ecx)],
  ['inc esi', '46', (asm) => asm.increment(esi)],
  ['dec edi', '4f', (asm) => asm.decrement(edi)],
  ['cmp ebx, 0x80010000', '81 fb 00 00 01 80', (asm) => asm.compare(ebx, 0x80010000)],
  ['cmp eax, edx', '39 d0', (asm) => asm.compareRegisters(eax, edx)],
  ['test eax, 1', 'f7 c0 01 00 00 00', (asm) => asm.testBits(eax, 1)],
  ['ret', 'c3', (asm) => asm.return()],
  ['iret', 'cf', (asm) => asm.returnFromInterrupt()],
  ['out 0x20, al', 'e6 20', (asm) => asm.outTo(0x20)],
  ['out dx, al', 'ee', (asm) => asm.out8()],
  ['out dx, ax', '66 ef', (asm) => asm.out16()],
  ['out dx, eax', 'ef', (asm) => asm.out32()],
  ['in al, dx', 'ec', (asm) => asm.in8()],
  ['in ax, dx', '66 ed', (asm) => asm.in16()],
  ['in eax, dx', 'ed', (asm) => asm.in32()],
  ['cli', 'fa', (asm) => asm.disableInterrupts()],
  ['sti', 'fb', (asm) => asm.enableInterrupts()],
  ['hlt', 'f4', (asm) => asm.halt()],
];

/** The same, for instructions that name the label `there`, which lies at 0x00100020; the instruction itself lies at 0x00100000. */
const ENCODINGS_WITH_LABEL: readonly [string, string, (asm: Assembler) => void][] = [
  ['mov esp, there', 'bc 20 00 10 00', (asm) => asm.movImmediate(esp, { label: 'there' })],
  ['mov eax, [there]', '8b 05 20 00 10 00', (asm) => asm.load(eax, 'there')],
  ['mov [there], ebx', '89 1d 20 00 10 00', (asm) => asm.store('there', ebx)],
  ['inc dword [there]', 'ff 05 20 00 10 00', (asm) => asm.incrementAt('there')],
  ['sub dword [there], 10', '81 2d 20 00 10 00 0a 00 00 00', (asm) => asm.subAt('there', 10)],
  ['cmp dword [there], 10', '81 3d 20 00 10 00 0a 00 00 00', (asm) => asm.compareAt('there', 10)],
  ['cmp eax, [there]', '3b 05 20 00 10 00', (asm) => asm.compareWith(eax, 'there')],
  ['jmp there', 'e9 1b 00 00 00', (asm) => asm.jump('there')],
  ['jb there', '0f 82 1a 00 00 00', (asm) => asm.jumpIfBelow('there')],
  ['je there', '0f 84 1a 00 00 00', (asm) => asm.jumpIfEqual('there')],
  ['jne there', '0f 85 1a 00 00 00', (asm) => asm.jumpIfNotEqual('there')],
  ['ja there', '0f 87 1a 00 00 00', (asm) => asm.jumpIfAbove('there')],
  ['jmp 8:there', 'ea 20 00 10 00 08 00', (asm) => asm.jumpFar(8, 'there')],
  ['call there', 'e8 1b 00 00 00', (asm) => asm.call('there')],
  ['lgdt [there]', '0f 01 15 20 00 10 00', (asm) => asm.loadGdt('there')],
  ['lidt [there]', '0f 01 1d 20 00 10 00', (asm) => asm.loadIdt('there')],
  ['an interrupt gate', '20 00 08 00 00 8e 10 00', (asm) => asm.interruptGate(8, 'there')],
];

describe('the assembler', () => {
  it.each(ENCODINGS)('encodes %s as %s', (_text, bytes, write) => {
    const asm = new Assembler(0);
    write(asm);
    expect(hex(asm.assemble())).toBe(bytes);
  });

  it.each(ENCODINGS_WITH_LABEL)('encodes %s as %s', (_text, bytes, write) => {
    const asm = new Assembler(0x100000);
    asm.labelAt('there', 0x100020);
    write(asm);
    expect(hex(asm.assemble())).toBe(bytes);
  });

  it('branches backwards as well', () => {
    const asm = new Assembler(0x1000);
    asm.label('again');
    asm.halt();
    asm.jump('again');
    expect(hex(asm.assemble())).toBe('f4 e9 fa ff ff ff');
  });

  it("pads to a boundary of the guest's memory, not of the image", () => {
    const asm = new Assembler(0x1002);
    asm.align(4);
    asm.data8(1);
    expect(hex(asm.assemble())).toBe('00 00 01');
  });

  it('refuses a label that is nowhere, one that is twice, and a base that it cannot encode', () => {
    const asm = new Assembler(0);
    asm.jump('nowhere');
    expect(() => asm.assemble()).toThrow('nowhere');
    asm.label('nowhere');
    expect(() => asm.label('nowhere')).toThrow('twice');
    expect(() => asm.loadFrom(eax, esp, 4)).toThrow('esp');
  });
});

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
}
