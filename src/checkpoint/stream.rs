//! A file of weights read while it downloads: one tensor at a time is in memory, the file never is.

use std::cmp::Ordering;

use sha2::{Digest, Sha256};

use super::gguf::Outline;
use super::intake::Intake;
use super::start::{Announced, Listed, Listing, Start};
use super::{BlockType, StoredTensor};
use crate::{Error, Result};

/// What is known of a tensor before its elements come.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Hugging Face's name.
    pub name: &'a str,
    /// The file's number format.
    pub kind: BlockType,
    /// Length of each dimension in the file, outermost first.
    pub shape: &'a [usize],
    /// The file is a GGUF.
    pub gguf: bool,
}

/// Chooses the format in which a tensor is kept, of which its rows must be whole blocks.
pub type Kept = Box<dyn Fn(Incoming) -> BlockType>;

/// A tensor that has come whole.
#[derive(Debug)]
pub struct Arrived<'a> {
    /// Hugging Face's name.
    pub name: &'a str,
    /// As it is kept.
    pub tensor: StoredTensor,
    /// It is `(out, in)` where Hugging Face's file has `(in, out)`.
    pub turned: bool,
}

/// Takes a file's tensors.
type Sink<'a> = &'a mut dyn FnMut(Arrived) -> Result<()>;

/// Takes the bytes of a file in order, in chunks of any size, and gives out each tensor as soon as it is complete.
pub struct StreamReader {
    file: String,
    content_length: Option<u64>,
    sha256: Option<[u8; 32]>,
    hasher: Sha256,
    received: u64,
    start: Start,
    listing: Option<Listing>,
    /// Where the next byte of the tensors lies.
    at: u64,
    kept: Kept,
    /// Which tensor's bytes are due, how many have come, and what was made of them.
    index: usize,
    of_tensor: u64,
    intake: Option<Intake>,
    skipped: Vec<(String, String)>,
}

impl StreamReader {
    /// Awaits a file, called `file` in errors. `content_length` (bytes) and `sha256` are compared with what arrives, where they are known.
    /// `kept` chooses the formats of the tensors.
    pub fn new(file: &str, content_length: Option<u64>, sha256: Option<[u8; 32]>, kept: Kept) -> Self {
        StreamReader {
            file: file.into(),
            content_length,
            sha256,
            hasher: Sha256::new(),
            received: 0,
            start: Start::default(),
            listing: None,
            at: 0,
            kept,
            index: 0,
            of_tensor: 0,
            intake: None,
            skipped: Vec::new(),
        }
    }

    /// Takes the next bytes and gives every tensor they complete to `sink`, in file order. Tensors in a number format
    /// other than F32, F16 and BF16 are passed over (see [`StreamReader::skipped`]): models carry integer buffers, such
    /// as `position_ids`, that nothing reads. After an error the reader is of no further use.
    pub fn feed(&mut self, mut chunk: &[u8], sink: Sink) -> Result<()> {
        self.received += chunk.len() as u64;
        if let Some(expected) = self.content_length.filter(|length| self.received > *length) {
            return Err(Error::FileLength { file: self.file.clone(), expected, actual: self.received });
        }
        if self.sha256.is_some() {
            self.hasher.update(chunk);
        }
        let Some(listing) = self.listing.take() else {
            let whole = self.content_length == Some(self.received);
            let Some((listing, rest)) = self.start.feed(&self.file, &mut chunk, whole)? else { return Ok(()) };
            if let Some(length) = self.content_length {
                self.compare_length(&listing, length)?;
            }
            self.at = listing.first;
            let fed = self.feed_tensors(&listing, &rest, sink).and_then(|()| self.feed_tensors(&listing, chunk, sink));
            self.listing = Some(listing);
            return fed;
        };
        let fed = self.feed_tensors(&listing, chunk, sink);
        self.listing = Some(listing);
        fed
    }

    /// What the file is called.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Name and number format of the tensors passed over so far.
    pub fn skipped(&self) -> &[(String, String)] {
        &self.skipped
    }

    /// What the file lists of weights, once its start has come, in the formats that `kept` chooses.
    pub fn announced(&self, kept: &Kept) -> Vec<Announced> {
        self.listing.as_ref().map_or_else(Vec::new, |listing| listing.announced(kept))
    }

    /// Whether the file turned out to be a GGUF.
    pub fn is_gguf(&self) -> bool {
        self.listing.as_ref().is_some_and(|listing| listing.outline.is_some())
    }

    /// What a GGUF is written from again, once its start has come and all tensors are read: it takes their names away.
    pub fn outline(&mut self) -> Option<Outline> {
        self.listing.as_mut()?.outline.take()
    }

    /// Ends the file: every byte that the header and the server announced must have come, and no other.
    pub fn finish(self) -> Result<()> {
        match &self.listing {
            Some(listing) => self.compare_length(listing, self.received)?,
            None => {
                // How long a GGUF's start is only its end tells: one byte more at least.
                let announced = self.start.least(&self.file)?.max(self.content_length.unwrap_or(0));
                let expected = announced.max(self.received + 1);
                return Err(Error::FileTruncated { file: self.file, expected, actual: self.received });
            }
        }
        if let Some(expected) = self.content_length.filter(|expected| self.received < *expected) {
            return Err(Error::FileTruncated { file: self.file, expected, actual: self.received });
        }
        let actual: [u8; 32] = self.hasher.finalize().into();
        match self.sha256 {
            Some(expected) if expected != actual => {
                Err(Error::FileHash { file: self.file.clone(), expected: hex(&expected), actual: hex(&actual) })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Fails unless a file of `actual` bytes holds just what its start announced.
    fn compare_length(&self, listing: &Listing, actual: u64) -> Result<()> {
        let (file, expected) = (self.file.clone(), listing.end);
        match actual.cmp(&expected) {
            Ordering::Less => Err(Error::FileTruncated { file, expected, actual }),
            Ordering::Greater if actual > listing.longest => Err(Error::FileLength { file, expected, actual }),
            Ordering::Greater | Ordering::Equal => Ok(()),
        }
    }

    fn feed_tensors(&mut self, listing: &Listing, mut chunk: &[u8], sink: Sink) -> Result<()> {
        while let Some(tensor) = listing.tensors.get(self.index) {
            let (_between, rest) = split(chunk, tensor.start.saturating_sub(self.at));
            self.at += (chunk.len() - rest.len()) as u64;
            let (taken, rest) = split(rest, if self.at < tensor.start { 0 } else { tensor.bytes - self.of_tensor });
            self.at += taken.len() as u64;
            chunk = rest;
            if let Some(kind) = tensor.kind {
                let mut intake = match self.intake.take() {
                    Some(intake) => intake,
                    None => self.begin(listing, tensor, kind)?,
                };
                intake.take(taken)?;
                self.intake = Some(intake);
            }
            self.of_tensor += taken.len() as u64;
            if self.at < tensor.start || self.of_tensor < tensor.bytes {
                break;
            }
            self.index += 1;
            self.of_tensor = 0;
            let Some(intake) = self.intake.take() else {
                self.skipped.push((tensor.name.clone(), tensor.format.clone()));
                continue;
            };
            let found = StoredTensor { shape: tensor.shape.clone(), elements: intake.finish() };
            let (name, found) = listing.translate(&tensor.name, found)?;
            sink(Arrived { name: &name, tensor: found, turned: listing.turned(&tensor.name) })?;
        }
        Ok(())
    }

    /// Gets ready for a tensor. Memory for all of it is asked for at once only where the server's length confirms the header's: doubling
    /// it bit by bit would leave a wasm heap twice as large as needed.
    fn begin(&self, listing: &Listing, tensor: &Listed, kind: BlockType) -> Result<Intake> {
        let (name, kept) = listing.kept(tensor, kind, &self.kept);
        let mut intake = Intake::new(&name, kind, kept);
        if self.content_length.is_some() {
            intake.reserve(tensor.bytes / kind.block_bytes() as u64 * kind.elements() as u64)?;
        }
        Ok(intake)
    }
}

/// The first `most` bytes, or all where there are fewer, and the rest.
fn split(bytes: &[u8], most: u64) -> (&[u8], &[u8]) {
    bytes.split_at(usize::try_from(most).map_or(bytes.len(), |most| most.min(bytes.len())))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
