//! Writer of drop files: gzipped CSV of bounded size, uploaded while it is encoded.

use std::io::Write;

use datafusion::execution::SendableRecordBatchStream;
use flate2::Compression;
use flate2::GzBuilder;
use flate2::write::GzEncoder;
use futures::StreamExt;

use crate::cloudzero::csv;
use crate::cloudzero::drop::add_file;
use crate::cloudzero::read_back::DropContent;
use crate::cloudzero::row_digest::RowDigests;
use crate::engine;
use crate::error::{Error, Result};
use crate::store::upload::Upload;
use crate::store::{Operation, Store};

/// Most rows of a file. CloudZero accepts a million; smaller files are read back in one piece without
/// using much memory.
const MAX_ROWS: usize = 250_000;
/// Favours speed: the files live until the next drop.
const GZIP_LEVEL: u32 = 1;
/// Bytes that are compressed before they are uploaded.
const UPLOAD_BYTES: usize = 1 << 20;

/// Files of a drop, as written and read back.
#[derive(Debug, Default)]
pub struct DropFiles {
    /// Number of files.
    pub(crate) count: usize,
    /// Number of line items.
    pub(crate) rows: u64,
    /// Compressed bytes.
    pub(crate) bytes: u64,
    /// Digests of the record batches that were written; empty if the drop was only read.
    pub(crate) written: RowDigests,
    /// Content of the files as they were read back; empty if they were only counted.
    pub(crate) content: DropContent,
}

/// Writes each stream into files of the drop and reads them back. Without `keep` the files are counted but
/// not written.
///
/// # Errors
/// Kind `Reconcile` if a file cannot be read back.
pub async fn write(
    destination: &Store,
    folder: &str,
    streams: Vec<SendableRecordBatchStream>,
    keep: bool,
) -> Result<DropFiles> {
    let mut tasks = tokio::task::JoinSet::new();
    for (index, stream) in streams.into_iter().enumerate() {
        let prefix = format!("{folder}/line_items-{index:02}");
        tasks.spawn(write_stream(destination.clone(), stream, prefix, keep));
    }
    let mut all = DropFiles::default();
    while let Some(finished) = tasks.join_next().await {
        let files = finished.map_err(|e| Error::bug(format!("writing {folder}: {e}")))??;
        all.count += files.count;
        all.rows += files.rows;
        all.bytes += files.bytes;
        all.written.merge(files.written);
        all.content
            .merge(files.content)
            .map_err(|e| Error::reconcile(format!("could not sum drop `{folder}`: {e}")))?;
    }
    Ok(all)
}

/// Writes a drop of one file with a header and no rows, which removes the month from CloudZero.
pub(crate) async fn write_empty(
    destination: &Store,
    folder: &str,
    columns: &[String],
) -> Result<()> {
    let mut text = Vec::new();
    csv::write_header(&mut text, columns.iter().map(String::as_str));
    let name = format!("{folder}/line_items-00-0001.csv.gz");
    let mut file = OpenFile::create(destination, name, true);
    file.compress(&text)?;
    finish(destination, file, &mut DropFiles::default()).await
}

/// File that is being written.
struct OpenFile {
    gzip: GzEncoder<Vec<u8>>,
    /// `None` if the file is only counted.
    upload: Option<Upload>,
    name: String,
    rows: usize,
    bytes: u64,
}

impl OpenFile {
    fn create(destination: &Store, name: String, keep: bool) -> OpenFile {
        // Without time and file name in the gzip header the same content gives the same bytes.
        let gzip = GzBuilder::new().write(Vec::new(), Compression::new(GZIP_LEVEL));
        let upload = keep.then(|| destination.upload(&name));
        OpenFile {
            gzip,
            upload,
            name,
            rows: 0,
            bytes: 0,
        }
    }

    fn compress(&mut self, text: &[u8]) -> Result<()> {
        self.gzip
            .write_all(text)
            .map_err(|e| Error::bug(format!("compressing {}: {e}", self.name)))
    }

    /// Uploads what is compressed so far.
    async fn flush(&mut self, destination: &Store) -> Result<()> {
        let bytes = std::mem::take(self.gzip.get_mut());
        self.bytes += bytes.len() as u64;
        let Some(upload) = &mut self.upload else {
            return Ok(());
        };
        upload
            .write(bytes.into())
            .await
            .map_err(|e| destination.error(Operation::Write, &self.name, &e))
    }
}

/// Writes one stream into files of at most [`MAX_ROWS`], and reads each back.
async fn write_stream(
    destination: Store,
    mut stream: SendableRecordBatchStream,
    prefix: String,
    keep: bool,
) -> Result<DropFiles> {
    let mut files = DropFiles::default();
    let mut open: Option<OpenFile> = None;
    let mut text = Vec::with_capacity(2 << 20);
    while let Some(batch) = stream.next().await {
        let batch = batch.map_err(|e| engine::failed("reading published line items", &e))?;
        files.written.add_batch(&batch)?;
        let mut from = 0;
        while from < batch.num_rows() {
            if open.as_ref().is_some_and(|file| file.rows == MAX_ROWS)
                && let Some(full) = open.take()
            {
                finish(&destination, full, &mut files).await?;
            }
            let file = match &mut open {
                Some(file) => file,
                none => {
                    files.count += 1;
                    let name = format!("{prefix}-{:04}.csv.gz", files.count);
                    let header = batch.schema();
                    text.clear();
                    csv::write_header(&mut text, header.fields().iter().map(|f| f.name().as_str()));
                    let mut file = OpenFile::create(&destination, name, keep);
                    file.compress(&text)?;
                    none.insert(file)
                }
            };
            let to = batch.num_rows().min(from + MAX_ROWS - file.rows);
            text.clear();
            csv::write_rows(&mut text, &batch, from, to)?;
            file.compress(&text)?;
            file.rows += to - from;
            from = to;
            if file.gzip.get_ref().len() >= UPLOAD_BYTES {
                file.flush(&destination).await?;
            }
        }
    }
    if let Some(last) = open {
        finish(&destination, last, &mut files).await?;
    }
    Ok(files)
}

/// Completes a file and reads it back.
async fn finish(destination: &Store, mut file: OpenFile, files: &mut DropFiles) -> Result<()> {
    file.gzip
        .try_finish()
        .map_err(|e| Error::bug(format!("compressing {}: {e}", file.name)))?;
    file.flush(destination).await?;
    files.rows += file.rows as u64;
    files.bytes += file.bytes;
    let Some(upload) = file.upload else {
        return Ok(());
    };
    let finished = upload.finish().await;
    finished.map_err(|e| destination.error(Operation::Write, &file.name, &e))?;
    add_file(destination, &file.name, &mut files.content).await
}
