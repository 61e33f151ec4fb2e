//! Compressed or not: what a layer is, its first bytes say.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

const GZIP: &[u8] = &[0x1F, 0x8B];
/// A frame of data, and frames that are skipped: the last four bits of those are free.
const ZSTD: u32 = 0xFD2F_B528;
const SKIPPED: u32 = 0x184D_2A50;
/// How far back a frame may refer to, and so the memory it takes: what the reference decoder accepts.
const WINDOW_BYTES_MAX: u64 = 128 * 1024 * 1024;
const BUFFER_BYTES: usize = 64 * 1024;

type Source = BufReader<File>;

/// Opens a layer for reading what is in it.
pub(super) fn open(file: File) -> io::Result<Box<dyn Read>> {
    let mut source = BufReader::with_capacity(BUFFER_BYTES, file);
    let head = source.fill_buf()?;
    if head.starts_with(GZIP) {
        return Ok(Box::new(MultiGzDecoder::new(source)));
    }
    let magic = head.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    if magic.is_some_and(|magic| magic == ZSTD || magic & !0xF == SKIPPED) {
        return Ok(Box::new(Frames::new(source)));
    }
    Ok(Box::new(source))
}

/// Frames of Zstandard, one after the other.
struct Frames {
    source: Source,
    /// Kept from frame to frame, with the memory it has.
    decoder: FrameDecoder,
    is_inside: bool,
}

impl Frames {
    fn new(source: Source) -> Self {
        let mut decoder = FrameDecoder::new();
        decoder.set_max_window_size(WINDOW_BYTES_MAX);
        Self { source, decoder, is_inside: false }
    }

    /// Goes on to the next frame of data; returns whether there is one.
    fn enter(&mut self) -> io::Result<bool> {
        while !self.source.fill_buf()?.is_empty() {
            match self.decoder.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                    io::copy(&mut self.source.by_ref().take(u64::from(length)), &mut io::sink())?;
                }
                Err(error) => return Err(odd(&error)),
            }
        }
        Ok(false)
    }
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        loop {
            if !self.is_inside {
                self.is_inside = self.enter()?;
                if !self.is_inside {
                    return Ok(0);
                }
            }
            while self.decoder.can_collect() == 0 && !self.decoder.is_finished() {
                self.decoder.decode_blocks(&mut self.source, BlockDecodingStrategy::UptoBlocks(1)).map_err(|error| odd(&error))?;
            }
            match self.decoder.read(buffer)? {
                0 => self.is_inside = false,
                read => return Ok(read),
            }
        }
    }
}

fn odd(error: &FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}
