/**
 * The heartbeat guest: the smallest machine whose life can be followed from outside.
 *
 *   boot ──▶ prints `MB <command line>` ──▶ every 100 ms of its own time prints `HB <n>`, n = 1, 2, 3 … ──▶ off: prints `BYE`
 *
 * It goes off on the byte `q` on its serial line, on the ACPI power button, and by itself after n heartbeats where its command line says
 * `beats=n`. Off means ACPI S5 on QEMU's PIIX4; where there is none (v86) it halts with interrupts off, from which nothing wakes it.
 *
 * What must stay true: its count lives in its memory and nowhere else, so a guest that continues from a hot image prints the number after the
 * last one it printed, and one that was booted anew prints 1; and it needs no BIOS, disk, or more than 2 MiB of memory.
 */
import { Assembler, Register, Segment } from './assembler.js';

const { eax, ebx, ecx, edx, esi, edi, esp } = Register;

/** Where the guest lies in its memory: at 1 MiB, the lowest address that multiboot promises to be free. */
const ORIGIN = 0x100000;
const STACK_TOP = 0x108000;

/** Multiboot Specification 0.6.96, 3.1: magic, flags (bit 16: the addresses are in this header), and their sum to zero. */
const MULTIBOOT_MAGIC = 0x1badb002;
const MULTIBOOT_FLAGS = 0x00010000;

/** Selectors into this guest's own table of segments. */
const CODE = 8;
const DATA = 16;

/** COM1 (16550): data and line status, with the two bits of it that matter. */
const SERIAL_DATA = 0x3f8;
const SERIAL_STATUS = 0x3fd;
const RECEIVED = 0x01;
const MAY_SEND = 0x20;
/** The byte that asks the guest to go off. */
const QUIT = 'q'.charCodeAt(0);

/** The two interrupt controllers (8259), and the vectors their sixteen lines are moved to, clear of the processor's own 32. */
const PIC = { command: 0x20, data: 0x21 };
const SECOND_PIC = { command: 0xa0, data: 0xa1 };
const FIRST_IRQ_VECTOR = 0x20;
const IRQ_VECTORS = 16;
const END_OF_INTERRUPT = 0x20;

/** The timer (8254): channel 0, rate generator, 1193182 Hz / 11932 = 100 Hz. */
const TIMER_CONTROL = 0x43;
const TIMER_CHANNEL_0 = 0x40;
const TIMER_RATE_GENERATOR = 0x34;
const TIMER_DIVISOR = 11932;
const TICKS_PER_HEARTBEAT = 10;

/** PCI configuration mechanism 1. */
const PCI_ADDRESS = 0xcf8;
const PCI_DATA = 0xcfc;

/** ACPI on QEMU's PIIX4, where its firmware puts it: status and enable words of fixed events, and the control word. */
const ACPI_STATUS = 0x600;
const ACPI_ENABLE = 0x602;
const ACPI_CONTROL = 0x604;
const POWER_BUTTON = 0x0100;
const SLEEP_NOW_S5 = 0x2000;
/** What a port that no device answers reads as. */
const NOBODY = 0xffff;

/** The guest's image, as a multiboot loader takes it. The same bytes on every machine. */
export function buildHeartbeatGuest(): Uint8Array {
  const asm = new Assembler(ORIGIN);
  writeHeader(asm);
  writeEntry(asm);
  writeInterruptSetUp(asm);
  writeClearingOfIoBars(asm);
  writeCommandLine(asm);
  writeHeartbeats(asm);
  writePowerOff(asm);
  writeInterruptHandlers(asm);
  writePrinting(asm);
  writeTables(asm);
  return asm.assemble();
}

function writeHeader(asm: Assembler): void {
  asm.label('image');
  asm.data32(MULTIBOOT_MAGIC);
  asm.data32(MULTIBOOT_FLAGS);
  asm.data32(-(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS));
  for (const label of ['image', 'image', 'imageEnd', 'stackTop', 'entry']) asm.data32({ label });
}

/** The loader leaves flat segments of its own in a table that may be gone: ours comes first, then the stack. ebx points to what it tells us. */
function writeEntry(asm: Assembler): void {
  asm.label('entry');
  asm.loadGdt('gdtPointer');
  asm.jumpFar(CODE, 'ownSegments');
  asm.label('ownSegments');
  asm.movImmediate(eax, DATA);
  for (const segment of [Segment.ds, Segment.es, Segment.ss]) asm.movSegment(segment, eax);
  asm.movImmediate(esp, { label: 'stackTop' });
  asm.store('loaderInfo', ebx);
}

/** Only the timer's line stays open; then the timer is given its rate. Interrupts stay off until all is printed. */
function writeInterruptSetUp(asm: Assembler): void {
  const tell = (port: number, value: number): void => {
    asm.movImmediate8(eax, value);
    asm.outTo(port);
  };
  asm.loadIdt('idtPointer');
  for (const [pic, vector, wiring, mask] of [
    [PIC, FIRST_IRQ_VECTOR, 0x04, 0xfe],
    [SECOND_PIC, FIRST_IRQ_VECTOR + 8, 0x02, 0xff],
  ] as const) {
    tell(pic.command, 0x11);
    tell(pic.data, vector);
    tell(pic.data, wiring);
    tell(pic.data, 0x01);
    tell(pic.data, mask);
  }
  tell(TIMER_CONTROL, TIMER_RATE_GENERATOR);
  tell(TIMER_CHANNEL_0, TIMER_DIVISOR & 0xff);
  tell(TIMER_CHANNEL_0, TIMER_DIVISOR >>> 8);
}

/**
 * Zeroes every I/O base address on PCI bus 0. Without a BIOS v86 leaves some of them claiming ports that no device has, and then cannot
 * restore the state it saved. This guest talks to no PCI device, so nothing is lost.
 */
function writeClearingOfIoBars(asm: Assembler): void {
  const address = ebx; // enable bit, function number
  const register = ecx; // offset of the base address register
  const FUNCTIONS = 256;
  asm.movImmediate(address, 0x80000000);
  asm.label('nextFunction');
  asm.movImmediate(register, 0x10);
  asm.label('nextBar');
  asm.mov(eax, address);
  asm.orRegister(eax, register);
  asm.movImmediate(edx, PCI_ADDRESS);
  asm.out32();
  asm.movImmediate(edx, PCI_DATA);
  asm.in32();
  asm.compare(eax, -1); // no such function
  asm.jumpIfEqual('barDone');
  asm.testBits(eax, 1); // bit 0 tells I/O from memory
  asm.jumpIfEqual('barDone');
  asm.clear(eax);
  asm.out32();
  asm.label('barDone');
  asm.add(register, 4);
  asm.compare(register, 0x28);
  asm.jumpIfBelow('nextBar');
  asm.add(address, 0x100);
  asm.compare(address, 0x80000000 + FUNCTIONS * 0x100);
  asm.jumpIfBelow('nextFunction');
}

/** Prints the command line (multiboot information: bit 2 of the flags, address at 16), and reads `beats=n` out of it; 0 is for ever. */
function writeCommandLine(asm: Assembler): void {
  asm.movImmediate(esi, { label: 'textBoot' });
  asm.call('print');
  asm.load(ebx, 'loaderInfo');
  asm.loadFrom(eax, ebx, 0);
  asm.testBits(eax, 4);
  asm.jumpIfEqual('lineDone');
  asm.loadFrom(esi, ebx, 16);
  asm.call('print');

  asm.loadFrom(esi, ebx, 16);
  asm.label('searchHere'); // esi: where in the line the word may begin; edi and ecx: how far word and line agree
  asm.movImmediate(edi, { label: 'textBeats' });
  asm.mov(ecx, esi);
  asm.label('compareLetters');
  asm.loadByteFrom(edx, edi, 0);
  asm.compare(edx, 0);
  asm.jumpIfEqual('beatsFound');
  asm.loadByteFrom(eax, ecx, 0);
  asm.compare(eax, 0);
  asm.jumpIfEqual('lineDone');
  asm.increment(edi);
  asm.increment(ecx);
  asm.compareRegisters(eax, edx);
  asm.jumpIfEqual('compareLetters');
  asm.increment(esi);
  asm.jump('searchHere');

  asm.label('beatsFound');
  asm.clear(ebx);
  asm.label('nextDigit');
  asm.loadByteFrom(eax, ecx, 0);
  asm.sub(eax, 0x30);
  asm.compare(eax, 9);
  asm.jumpIfAbove('beatsRead');
  asm.multiply(ebx, 10);
  asm.addRegister(ebx, eax);
  asm.increment(ecx);
  asm.jump('nextDigit');
  asm.label('beatsRead');
  asm.store('lastBeat', ebx);

  asm.label('lineDone');
  asm.call('printNewLine');
}

/** Sleeps from tick to tick. After each it looks at the serial line, the power button and the count of ticks, in this order. */
function writeHeartbeats(asm: Assembler): void {
  // The power button sets its status bit only once its event is enabled. Where there is no ACPI the port swallows this.
  asm.movImmediate(edx, ACPI_ENABLE);
  asm.movImmediate(eax, POWER_BUTTON);
  asm.out16();
  asm.enableInterrupts();

  asm.label('sleep');
  asm.halt();

  asm.movImmediate(edx, SERIAL_STATUS);
  asm.clear(eax);
  asm.in8();
  asm.testBits(eax, RECEIVED);
  asm.jumpIfEqual('noByte');
  asm.movImmediate(edx, SERIAL_DATA);
  asm.in8();
  asm.compare(eax, QUIT);
  asm.jumpIfEqual('powerOff');
  asm.label('noByte');

  asm.movImmediate(edx, ACPI_STATUS);
  asm.clear(eax);
  asm.in16();
  asm.compare(eax, NOBODY);
  asm.jumpIfEqual('noButton');
  asm.testBits(eax, POWER_BUTTON);
  asm.jumpIfNotEqual('powerOff');
  asm.label('noButton');

  asm.compareAt('ticks', TICKS_PER_HEARTBEAT);
  asm.jumpIfBelow('sleep');
  asm.subAt('ticks', TICKS_PER_HEARTBEAT);
  asm.incrementAt('beat');
  asm.movImmediate(esi, { label: 'textBeat' });
  asm.call('print');
  asm.load(eax, 'beat');
  asm.call('printNumber');
  asm.call('printNewLine');
  asm.load(eax, 'beat');
  asm.compareWith(eax, 'lastBeat');
  asm.jumpIfNotEqual('sleep');
}

function writePowerOff(asm: Assembler): void {
  asm.label('powerOff');
  asm.movImmediate(esi, { label: 'textBye' });
  asm.call('print');
  asm.movImmediate(edx, ACPI_CONTROL);
  asm.movImmediate(eax, SLEEP_NOW_S5);
  asm.out16();
  asm.disableInterrupts();
  asm.label('off');
  asm.halt();
  asm.jump('off');
}

/** The timer's handler counts; the other lines are masked, so all that may come on them is a spurious interrupt, which asks for nothing. */
function writeInterruptHandlers(asm: Assembler): void {
  asm.label('onTick');
  asm.push(eax);
  asm.incrementAt('ticks');
  asm.movImmediate8(eax, END_OF_INTERRUPT);
  asm.outTo(PIC.command);
  asm.pop(eax);
  asm.label('onSpurious');
  asm.returnFromInterrupt();
}

/** `print` takes a text in esi, `printNumber` a number in eax, `printByte` a byte in al. Each may spoil every general register but ebx. */
function writePrinting(asm: Assembler): void {
  asm.label('print');
  asm.loadByteFrom(eax, esi, 0);
  asm.compare(eax, 0);
  asm.jumpIfEqual('printed');
  asm.call('printByte');
  asm.increment(esi);
  asm.jump('print');
  asm.label('printed');
  asm.return();

  // Digits come out of the division last one first: the stack turns them round.
  asm.label('printNumber');
  asm.movImmediate(ecx, 10);
  asm.clear(edi);
  asm.label('nextQuotient');
  asm.clear(edx);
  asm.divide(ecx);
  asm.push(edx);
  asm.increment(edi);
  asm.compare(eax, 0);
  asm.jumpIfNotEqual('nextQuotient');
  asm.label('nextPrinted');
  asm.pop(eax);
  asm.add(eax, 0x30);
  asm.call('printByte');
  asm.decrement(edi);
  asm.jumpIfNotEqual('nextPrinted');
  asm.return();

  asm.label('printNewLine');
  asm.movImmediate(eax, 0x0a);
  asm.label('printByte');
  asm.push(eax);
  asm.movImmediate(edx, SERIAL_STATUS);
  asm.label('awaitRoom');
  asm.in8();
  asm.testBits(eax, MAY_SEND);
  asm.jumpIfEqual('awaitRoom');
  asm.pop(eax);
  asm.movImmediate(edx, SERIAL_DATA);
  asm.out8();
  asm.return();
}

function writeTables(asm: Assembler): void {
  // Flat segments, 4 GiB each: nothing, code, data.
  asm.align(8);
  asm.label('gdt');
  for (const half of [0, 0, 0x0000ffff, 0x00cf9a00, 0x0000ffff, 0x00cf9200]) asm.data32(half);
  asm.label('gdtPointer');
  asm.data16(3 * 8 - 1);
  asm.data32({ label: 'gdt' });

  // The processor's own exceptions have no gate: a fault becomes a triple fault, which the VMM reports as the crash it is.
  asm.align(8);
  asm.label('idt');
  for (let vector = 0; vector < FIRST_IRQ_VECTOR; vector += 1) asm.data8(0, 0, 0, 0, 0, 0, 0, 0);
  asm.interruptGate(CODE, 'onTick');
  for (let line = 1; line < IRQ_VECTORS; line += 1) asm.interruptGate(CODE, 'onSpurious');
  asm.label('idtPointer');
  asm.data16((FIRST_IRQ_VECTOR + IRQ_VECTORS) * 8 - 1);
  asm.data32({ label: 'idt' });

  for (const [label, text] of [
    ['textBoot', 'MB '],
    ['textBeat', 'HB '],
    ['textBye', 'BYE\n'],
    ['textBeats', 'beats='],
  ] as const) {
    asm.label(label);
    asm.text(text);
  }

  asm.align(4);
  for (const variable of ['loaderInfo', 'ticks', 'beat', 'lastBeat']) {
    asm.label(variable);
    asm.data32(0);
  }
  asm.label('imageEnd');
  asm.labelAt('stackTop', STACK_TOP);
}
