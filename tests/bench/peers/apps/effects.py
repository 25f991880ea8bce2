"""The work of every peer: record the start, take a while, leave an effect that can be counted."""

import os
import time

import psycopg


def insert(table: str, peer: str, number: int) -> None:
    with psycopg.connect(os.environ["PEERS_DATABASE_URL"], autocommit=True) as connection:
        connection.execute(f"INSERT INTO {table} (peer, number) VALUES (%s, %s)", (peer, number))  # noqa: S608


def work(peer: str, number: int, duration_s: float) -> None:
    insert("started", peer, number)
    time.sleep(duration_s)
    insert("effect", peer, number)
