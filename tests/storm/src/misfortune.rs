//! The programs of a run, and who of them is killed: with SIGKILL, as a power cut would, and started again a moment later.

use anyhow::{Context as _, Result};
use snowball_tests::{Consortium, Running, Said};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{chance::Chance, plan::STUDY};

/// The running programs.
pub struct Fleet<'a> {
    consortium: &'a Consortium,
    port: u16,
    hear: mpsc::Sender<Said>,
    aggregator: Option<Running>,
    nodes: Vec<Running>,
    chance: Chance,
    next: Instant,
    /// How often the aggregator was killed, and how often a node.
    pub kills: (u32, u32),
    /// Nodes that ended by themselves in a bad way.
    pub ended: Vec<String>,
}

impl<'a> Fleet<'a> {
    /// Starts all of them.
    pub async fn start(consortium: &'a Consortium, port: u16, seed: u64) -> Result<Self> {
        let (hear, mut heard) = mpsc::channel(4096);
        // Nobody listens, but a full pipe would stop the programs.
        tokio::spawn(async move { while heard.recv().await.is_some() {} });
        let aggregator = Some(consortium.serve(port, &hear).await?);
        let nodes = consortium
            .sites
            .iter()
            .map(|site| consortium.run_node(site, STUDY, &hear))
            .collect::<Result<_>>()?;
        let mut chance = Chance::of(seed, 1);
        let next = Instant::now() + chance.milliseconds(1_000, 5_000);
        Ok(Self {
            consortium,
            port,
            hear,
            aggregator,
            nodes,
            chance,
            next,
            kills: (0, 0),
            ended: Vec::new(),
        })
    }

    /// Kills one of them if it is time; starts again what has ended by itself, and remembers it.
    pub async fn suffer(&mut self) -> Result<()> {
        self.look_after().await?;
        if Instant::now() < self.next {
            return Ok(());
        }
        let down = self.chance.milliseconds(50, 2_000);
        if self.chance.place(4) == 0 {
            let aggregator = self.aggregator.take().context("the aggregator is gone")?;
            aggregator.kill().await?;
            sleep(down).await;
            self.aggregator = Some(self.consortium.serve(self.port, &self.hear).await?);
            self.kills.0 += 1;
        } else {
            let number = self.chance.place(self.nodes.len());
            let site = &self.consortium.sites[number];
            self.nodes.remove(number).kill().await?;
            sleep(down).await;
            let again = self.consortium.run_node(site, STUDY, &self.hear)?;
            self.nodes.insert(number, again);
            self.kills.1 += 1;
        }
        self.next = Instant::now() + self.chance.milliseconds(1_000, 6_000);
        Ok(())
    }

    /// Starts again whatever ended by itself in a bad way: an operator should not have to.
    pub async fn look_after(&mut self) -> Result<()> {
        for number in 0..self.nodes.len() {
            if let Err(fault) = self.nodes[number].check() {
                self.ended.push(fault.to_string());
                let site = &self.consortium.sites[number];
                self.nodes[number] = self.consortium.run_node(site, STUDY, &self.hear)?;
            }
        }
        let aggregator = self.aggregator.as_mut().context("the aggregator is gone")?;
        if let Err(fault) = aggregator.check() {
            self.ended.push(fault.to_string());
            self.aggregator = Some(self.consortium.serve(self.port, &self.hear).await?);
        }
        Ok(())
    }

    /// Whether every node has ended.
    pub fn is_over(&mut self) -> bool {
        self.nodes.iter_mut().all(Running::has_ended)
    }

    /// Ends the aggregator and says which nodes ended badly or not at all.
    pub async fn end(mut self) -> Result<Vec<String>> {
        for (node, site) in self.nodes.iter_mut().zip(&self.consortium.sites) {
            if !node.has_ended() {
                self.ended.push(format!("{} did not end with the study", site.name));
            } else if let Err(fault) = node.check() {
                self.ended.push(fault.to_string());
            }
        }
        if let Some(aggregator) = self.aggregator.take() {
            aggregator.end().await?;
        }
        Ok(self.ended)
    }
}
