//! A small allocator for plugins: blocks of power-of-two sizes, freed blocks kept by size.
//!
//! Constant time, a few hundred bytes of code, and its fuel depends on nothing but the calls.
#![allow(unsafe_code)]

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32::{memory_grow, memory_size};
use core::cell::UnsafeCell;
use core::ptr::null_mut;

const PAGE_BYTES: usize = 64 << 10;
/// The smallest block, and the alignment of every block.
const BLOCK_BYTES_MIN: usize = 16;

struct Heap {
    /// First free block of each size, by the size's logarithm; each holds the address of the next.
    free: [usize; 32],
    /// Where no block was handed out yet.
    next: usize,
    end: usize,
}

struct Allocator(UnsafeCell<Heap>);

// SAFETY: a plugin has no threads.
unsafe impl Sync for Allocator {}

#[global_allocator]
static ALLOCATOR: Allocator = Allocator(UnsafeCell::new(Heap {
    free: [0; 32],
    next: 0,
    end: 0,
}));

/// The logarithm of the size of the block that holds this layout.
fn class(layout: Layout) -> usize {
    let bytes = layout.size().max(layout.align()).max(BLOCK_BYTES_MIN);
    (usize::BITS - (bytes - 1).leading_zeros()) as usize
}

unsafe extern "C" {
    /// Where the linker's data ends.
    static __heap_base: u8;
}

impl Heap {
    fn fresh(&mut self, bytes: usize) -> *mut u8 {
        if self.end == 0 {
            // The rest of the last initial page: enough for most validations, so that fresh
            // instances need not grow.
            self.next = (&raw const __heap_base as usize).next_multiple_of(BLOCK_BYTES_MIN);
            self.end = memory_size(0) * PAGE_BYTES;
        }
        let room = self.end.saturating_sub(self.next);
        if room < bytes {
            let pages = (bytes - room).div_ceil(PAGE_BYTES);
            if memory_grow(0, pages) == usize::MAX {
                return null_mut();
            }
            // Nothing else in a plugin grows its memory, so the new pages follow the old.
            self.end = memory_size(0) * PAGE_BYTES;
        }
        let block = self.next;
        self.next += bytes;
        block as *mut u8
    }
}

// SAFETY: blocks are disjoint, at least as large as asked for, and aligned to 16, which is as much
// as any layout in a plugin asks for; a larger alignment is refused.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: no other reference lives; the allocator does not call itself.
        let heap = unsafe { &mut *self.0.get() };
        let class = class(layout);
        if class >= heap.free.len() || layout.align() > BLOCK_BYTES_MIN {
            return null_mut();
        }
        let block = heap.free[class];
        if block == 0 {
            return heap.fresh(1 << class);
        }
        // SAFETY: a free block holds the address of the next one.
        heap.free[class] = unsafe { *(block as *const usize) };
        block as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above; the block is the caller's to give back and at least 16 bytes.
        let heap = unsafe { &mut *self.0.get() };
        let class = class(layout);
        unsafe { *(block as *mut usize) = heap.free[class] };
        heap.free[class] = block as usize;
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        let Ok(wanted) = Layout::from_size_align(bytes, layout.align()) else {
            return null_mut();
        };
        if class(wanted) == class(layout) {
            return block;
        }
        // SAFETY: the new block is disjoint, and the old one holds `layout.size()` bytes.
        unsafe {
            let grown = self.alloc(wanted);
            if !grown.is_null() {
                grown.copy_from_nonoverlapping(block, layout.size().min(bytes));
                self.dealloc(block, layout);
            }
            grown
        }
    }
}
