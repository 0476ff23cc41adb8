// What the agents write: tasks.
const axios = require('axios');

const api = axios.create({ baseURL: process.env.DIRECTUS_URL });

async function createTask(code, title) {
  const { data } = await api.post('/items/tasks', { code, title, status: 'new' });
  return data.data.id;
}

async function listTasks() {
  const { data } = await api.get('/items/tasks', { params: { limit: -1 } });
  return data.data;
}

module.exports = { createTask, listTasks };
