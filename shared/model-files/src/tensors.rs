//! Writing safetensors: a length, a JSON header, then the numbers exactly as they lie in the model's own file.
//!
//! Written here rather than by the safetensors library so that the header's order is fixed (the same model gives the same
//! file) and the numbers go from file to file without being held.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter, Read, Write},
    path::Path,
};

use serde_json::{Map, Value, json};
use snowball_layout::Layout;
use snowball_protocol::{Sha256Digest, digest::RunningDigest};

const BLOCK_BYTES: usize = 1 << 20;
/// The header of the largest layout fits many times over.
const HEADER_BYTES_MAX: usize = 16 << 20;

/// Digests of what was written.
pub struct Written {
    /// Of the whole file.
    pub file: Sha256Digest,
    /// Of the numbers alone.
    pub numbers: Sha256Digest,
}

/// Writes `parameters` (little-endian f32 in `layout`'s order) to `path`, durably.
pub(crate) fn write(
    path: &Path,
    layout: &Layout,
    parameters: &Path,
    metadata: &BTreeMap<&str, String>,
) -> io::Result<Written> {
    let header = header(layout, metadata)?;
    let mut source = File::open(parameters)?;
    if source.metadata()?.len() != layout.bytes() {
        return Err(malformed("the parameters do not have the layout's size"));
    }
    let mut numbers = RunningDigest::default();
    let file = durably(path, |out| {
        out.write_all(&(header.len() as u64).to_le_bytes())?;
        out.write_all(&header)?;
        copy(&mut source, |block| {
            numbers.update(block);
            out.write_all(block)
        })
    })?;
    Ok(Written {
        file,
        numbers: numbers.finish(),
    })
}

/// Writes a file with what `write` writes, whole and durable when this returns, and gives its digest.
pub(crate) fn durably(
    path: &Path,
    write: impl FnOnce(&mut Digested<BufWriter<File>>) -> io::Result<()>,
) -> io::Result<Sha256Digest> {
    let partial = path.with_added_extension("partial");
    let mut out = Digested {
        inner: BufWriter::new(File::create(&partial)?),
        digest: RunningDigest::default(),
    };
    write(&mut out)?;
    let file = out.inner.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    fs::rename(&partial, path)?;
    Ok(out.digest.finish())
}

/// The digest of a file of any size.
///
/// # Errors
/// When the system refuses.
pub fn digest(path: &Path) -> io::Result<Sha256Digest> {
    let mut digest = RunningDigest::default();
    copy(&mut File::open(path)?, |block| {
        digest.update(block);
        Ok(())
    })?;
    Ok(digest.finish())
}

/// Reads the safetensors file at `path` once and digests it; also returns its metadata.
///
/// # Errors
/// When the system refuses, or the file is none: its header ends early, is larger than 16 MiB, or is no JSON.
pub fn read(path: &Path) -> io::Result<(Written, BTreeMap<String, String>)> {
    let mut source = BufReader::new(File::open(path)?);
    let mut file = RunningDigest::default();
    let mut length = [0; 8];
    source
        .read_exact(&mut length)
        .map_err(|_| malformed("the file has no header"))?;
    file.update(&length);
    let length = usize::try_from(u64::from_le_bytes(length)).unwrap_or(usize::MAX);
    if length > HEADER_BYTES_MAX {
        return Err(malformed("the file's header is larger than 16 MiB"));
    }
    let mut header = vec![0; length];
    source
        .read_exact(&mut header)
        .map_err(|_| malformed("the file's header is cut off"))?;
    file.update(&header);
    let header: Value = serde_json::from_slice(&header).map_err(|_| malformed("the file's header is no JSON"))?;
    let metadata = header.get("__metadata__").cloned().unwrap_or(json!({}));
    let mut numbers = RunningDigest::default();
    copy(&mut source, |block| {
        file.update(block);
        numbers.update(block);
        Ok(())
    })?;
    Ok((
        Written {
            file: file.finish(),
            numbers: numbers.finish(),
        },
        serde_json::from_value(metadata)?,
    ))
}

fn malformed(why: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.into())
}

fn header(layout: &Layout, metadata: &BTreeMap<&str, String>) -> io::Result<Vec<u8>> {
    let mut fields = Map::new();
    fields.insert("__metadata__".to_owned(), serde_json::to_value(metadata)?);
    let mut next = 0;
    for tensor in &layout.tensors {
        if tensor.offset != next {
            let why = format!("tensor {} does not follow the one before it", tensor.name);
            return Err(malformed(why));
        }
        next += tensor.shape.iter().product::<usize>();
        let entry = json!({ "dtype": "F32", "shape": tensor.shape, "data_offsets": [tensor.offset * 4, next * 4] });
        fields.insert(tensor.name.clone(), entry);
    }
    let mut header = snowball_protocol::plan::canonical_json(&Value::Object(fields));
    // The format asks that the numbers begin at a multiple of eight.
    header.resize(header.len().next_multiple_of(8), b' ');
    Ok(header)
}

fn copy(source: &mut impl Read, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    loop {
        match source.read(&mut block)? {
            0 => return Ok(()),
            count => take(&block[..count])?,
        }
    }
}

/// Digests what is written through it.
pub(crate) struct Digested<W> {
    inner: W,
    digest: RunningDigest,
}

impl<W: Write> Write for Digested<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.inner.write(bytes)?;
        self.digest.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::plan;

    #[test]
    fn the_safetensors_library_reads_what_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let plan = plan();
        let layout = Layout::of(&plan);
        let parameters = layout.initial_parameters(plan.seed);
        let source = folder.path().join("0.f32");
        fs::write(&source, snowball_layout::to_le_bytes(&parameters)).unwrap();
        let path = folder.path().join("model.safetensors");
        let metadata = BTreeMap::from([("plan_digest", plan.digest().to_string()), ("format", "pt".to_owned())]);
        let written = write(&path, &layout, &source, &metadata).unwrap();

        let bytes = fs::read(&path).unwrap();
        assert_eq!(Sha256Digest::of(&bytes), written.file);
        let read_back = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        assert_eq!(read_back.len(), layout.tensors.len());
        for tensor in &layout.tensors {
            let view = read_back.tensor(&tensor.name).unwrap();
            assert_eq!(view.shape(), tensor.shape);
            let count: usize = tensor.shape.iter().product();
            let numbers = snowball_layout::from_le_bytes(view.data()).unwrap();
            assert_eq!(numbers, parameters[tensor.offset..tensor.offset + count]);
        }
        let (digests, read_metadata) = read(&path).unwrap();
        assert_eq!((digests.file, digests.numbers), (written.file, written.numbers));
        assert_eq!(read_metadata["plan_digest"], plan.digest().to_string());
    }
}
