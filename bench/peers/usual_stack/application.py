"""The application, to which routes add themselves: a router that is included costs each request some 25 µs more."""

from fastapi import FastAPI

from bench.peers import contract

app = FastAPI(max_body_size=2**20)
contract.dress(app)
