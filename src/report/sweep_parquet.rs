//! The tidy table of a sweep as Parquet, in row groups of bounded size.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{LogicalType, Repetition, Type as Physical};
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType};
use parquet::errors::Result;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{PrimitiveTypeBuilder, Type};

use super::worlds::{integers, properties};
use crate::study::{Sweep, SweepRow};

/// Version of the columns.
const SCHEMA: u32 = 1;
/// Rows from which on a group is closed.
const GROUP: usize = 250_000;

/// A table that is written point by point: `point`, `hash`, a text for each axis, `year`,
/// `metric`, `value`, `low`, `high` (without a value where there is none) and `error`.
pub(super) struct ParquetTable<W: Write + Send> {
    file: SerializedFileWriter<W>,
    points: Vec<i32>,
    hashes: Vec<ByteArray>,
    axes: Vec<Vec<ByteArray>>,
    years: Vec<i32>,
    metrics: Vec<ByteArray>,
    numbers: [Vec<Option<f64>>; 3],
    errors: Vec<ByteArray>,
}

impl<W: Write + Send> ParquetTable<W> {
    /// A table without a row; the same sweep gives the same bytes.
    pub fn begin(to: W, sweep: &Sweep, hash: &str) -> Result<Self> {
        let properties = properties(hash, sweep.base.sampling.seed, SCHEMA);
        let file = SerializedFileWriter::new(to, Arc::new(schema(sweep)?), Arc::new(properties))?;
        Ok(Self {
            file,
            points: Vec::new(),
            hashes: Vec::new(),
            axes: vec![Vec::new(); sweep.axes.len()],
            years: Vec::new(),
            metrics: Vec::new(),
            numbers: Default::default(),
            errors: Vec::new(),
        })
    }

    /// Adds the rows of a point.
    pub fn add(
        &mut self,
        point: usize,
        hash: &str,
        labels: &[&str],
        rows: &[SweepRow],
    ) -> Result<()> {
        let count = rows.len();
        // There are at most 100,000 points.
        self.points.extend(std::iter::repeat_n(point as i32, count));
        self.hashes.extend(std::iter::repeat_n(ByteArray::from(hash), count));
        for (column, label) in self.axes.iter_mut().zip(labels) {
            column.extend(std::iter::repeat_n(ByteArray::from(*label), count));
        }
        for row in rows {
            self.years.push(i32::from(row.year));
            self.metrics.push(ByteArray::from(row.metric.as_str()));
            for (column, value) in self.numbers.iter_mut().zip([row.value, row.low, row.high]) {
                column.push(value);
            }
            self.errors.push(ByteArray::from(row.error.as_str()));
        }
        if self.points.len() >= GROUP { self.close_group() } else { Ok(()) }
    }

    /// Writes what is left and the end of the file.
    pub fn finish(mut self) -> Result<()> {
        self.close_group()?;
        self.file.finish()?;
        self.file.inner_mut().flush()?;
        Ok(())
    }

    fn close_group(&mut self) -> Result<()> {
        let mut group = self.file.next_row_group()?;
        integers(&mut group, &self.points)?;
        texts(&mut group, &self.hashes)?;
        for column in &self.axes {
            texts(&mut group, column)?;
        }
        integers(&mut group, &self.years)?;
        texts(&mut group, &self.metrics)?;
        for column in &self.numbers {
            optional(&mut group, column)?;
        }
        texts(&mut group, &self.errors)?;
        group.close()?;
        self.points.clear();
        self.years.clear();
        self.numbers.iter_mut().for_each(Vec::clear);
        let others = [&mut self.hashes, &mut self.metrics, &mut self.errors];
        others.into_iter().chain(&mut self.axes).for_each(Vec::clear);
        Ok(())
    }
}

fn texts<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[ByteArray],
) -> Result<()> {
    if let Some(mut column) = group.next_column()? {
        column.typed::<ByteArrayType>().write_batch(values, None, None)?;
        column.close()?;
    }
    Ok(())
}

fn optional<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    values: &[Option<f64>],
) -> Result<()> {
    if let Some(mut column) = group.next_column()? {
        let levels: Vec<i16> = values.iter().map(|value| i16::from(value.is_some())).collect();
        let known: Vec<f64> = values.iter().flatten().copied().collect();
        column.typed::<DoubleType>().write_batch(&known, Some(&levels), None)?;
        column.close()?;
    }
    Ok(())
}

fn schema(sweep: &Sweep) -> Result<Type> {
    let integer = |name| leaf(name, Physical::INT32, Repetition::REQUIRED).build();
    let number = |name| leaf(name, Physical::DOUBLE, Repetition::OPTIONAL).build();
    let text = |name| {
        let leaf = leaf(name, Physical::BYTE_ARRAY, Repetition::REQUIRED);
        leaf.with_logical_type(Some(LogicalType::String)).build()
    };
    let mut fields = vec![integer("point")?, text("hash")?];
    for axis in &sweep.axes {
        fields.push(text(&axis.name)?);
    }
    fields.extend([integer("year")?, text("metric")?]);
    fields.extend([number("value")?, number("low")?, number("high")?, text("error")?]);
    let fields = fields.into_iter().map(Arc::new).collect();
    Type::group_type_builder("sweep").with_fields(fields).build()
}

fn leaf(name: &str, kind: Physical, repetition: Repetition) -> PrimitiveTypeBuilder<'_> {
    Type::primitive_type_builder(name, kind).with_repetition(repetition)
}
