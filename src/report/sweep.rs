//! The tidy table of a sweep, as CSV and as Parquet: a row for each point, year and metric. It is
//! written point by point, so that a sweep of any size fits into memory.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

#[cfg(feature = "parquet")]
use super::sweep_parquet::ParquetTable;
use super::{ReportError, Staged};
use crate::study::{Sweep, SweepPoint, SweepRow};

const CSV: &str = "sweep.csv";
#[cfg(feature = "parquet")]
const PARQUET: &str = "sweep.parquet";

/// The table of a sweep on its way into a folder.
pub struct SweepTable<'a> {
    sweep: &'a Sweep,
    staged: Staged,
    csv: csv::Writer<BufWriter<File>>,
    #[cfg(feature = "parquet")]
    parquet: ParquetTable<BufWriter<File>>,
    points: usize,
}

impl<'a> SweepTable<'a> {
    /// A table without a row, aside in the folder. `hash` is that of the sweep.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn begin(dir: &Path, sweep: &'a Sweep, hash: &str) -> Result<Self, ReportError> {
        let mut staged = Staged::within(dir)?;
        let mut csv = csv::Writer::from_writer(BufWriter::new(staged.file(CSV)?));
        let axes = sweep.axes.iter().map(|axis| axis.name.as_str());
        let header = ["point", "hash"].into_iter().chain(axes);
        let header = header.chain(["year", "metric", "value", "low", "high", "error"]);
        csv.write_record(header).map_err(|cause| staged.failed(CSV, cause.into()))?;
        #[cfg(feature = "parquet")]
        let parquet = {
            let file = BufWriter::new(staged.file(PARQUET)?);
            ParquetTable::begin(file, sweep, hash)
                .map_err(|cause| staged.failed(PARQUET, std::io::Error::other(cause)))?
        };
        #[cfg(not(feature = "parquet"))]
        let _ = hash;
        Ok(Self {
            sweep,
            staged,
            csv,
            #[cfg(feature = "parquet")]
            parquet,
            points: 0,
        })
    }

    /// Adds the rows of the next point; points are numbered from 1.
    ///
    /// # Errors
    /// [`ReportError::Write`].
    pub fn add(&mut self, point: &SweepPoint, rows: &[SweepRow]) -> Result<(), ReportError> {
        self.points += 1;
        let number = self.points.to_string();
        let labels = self.sweep.labels(&point.steps);
        let text = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        for row in rows {
            let (year, numbers) = (row.year.to_string(), [row.value, row.low, row.high].map(text));
            let record = [number.as_str(), &point.hash].into_iter().chain(labels.iter().copied());
            let record = record.chain([year.as_str(), &row.metric]);
            let record =
                record.chain(numbers.iter().map(String::as_str)).chain([row.error.as_str()]);
            self.csv.write_record(record).map_err(|cause| self.staged.failed(CSV, cause.into()))?;
        }
        #[cfg(feature = "parquet")]
        self.parquet
            .add(self.points, &point.hash, &labels, rows)
            .map_err(|cause| self.staged.failed(PARQUET, std::io::Error::other(cause)))?;
        Ok(())
    }

    /// Puts the table and `more` files in place, all together.
    ///
    /// # Errors
    /// [`ReportError`]; then nothing of it is in the folder.
    pub fn finish(mut self, more: &[(&str, Vec<u8>)]) -> Result<(), ReportError> {
        let written = self.csv.into_inner().map_err(|error| error.into_error());
        let written = written.and_then(|mut file| file.flush());
        written.map_err(|cause| self.staged.failed(CSV, cause))?;
        #[cfg(feature = "parquet")]
        self.parquet
            .finish()
            .map_err(|cause| self.staged.failed(PARQUET, std::io::Error::other(cause)))?;
        for (name, bytes) in more {
            self.staged.write(name, bytes)?;
        }
        self.staged.finish()
    }
}
